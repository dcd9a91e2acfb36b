/**
 * The memory of a TaskManager by Flink's names, from `taskmanager.memory.*`. The sizes are caps, not
 * reservations: the heap of a slot's thread is limited to its share of the task heap, network buffers are
 * allocated as channels open.
 *
 *     total process = total Flink + metaspace + overhead
 *     total Flink   = framework heap + framework off-heap + task heap + task off-heap + managed + network
 *
 * Source: Flink "Set up TaskManager Memory". Where Flink refuses a budget that does not add up, the task heap gets what is
 * left and never less than `TASK_HEAP_SIZE_BYTES_MIN`.
 */
import type { Configuration } from './configuration.ts';
import { options } from './options.ts';

/** Sizes in bytes. */
export interface MemoryBudget {
  readonly frameworkHeap: number;
  readonly taskHeap: number;
  readonly frameworkOffHeap: number;
  readonly taskOffHeap: number;
  readonly network: number;
  readonly managed: number;
  readonly metaspace: number;
  readonly overhead: number;
  readonly totalFlink: number;
  readonly totalProcess: number;
}

const TASK_HEAP_SIZE_BYTES_MIN = 128 * 1024 * 1024;

/** Computes the budget. */
export function taskManagerMemory(configuration: Configuration): MemoryBudget {
  const metaspace = configuration.get(options.taskManagerMetaspaceSize);
  const explicitFlink = configuration.get(options.taskManagerFlinkSize);
  const explicitProcess = configuration.get(options.taskManagerProcessSize);
  const overheadOf = (processSize: number): number =>
    clamp(processSize * configuration.get(options.taskManagerOverheadFraction), {
      min: configuration.get(options.taskManagerOverheadMin),
      max: configuration.get(options.taskManagerOverheadMax),
    });
  const totalFlink = explicitFlink ?? Math.max(0, explicitProcess - metaspace - overheadOf(explicitProcess));
  const overhead = overheadOf(explicitFlink === undefined ? explicitProcess : totalFlink + metaspace);
  const network = clamp(totalFlink * configuration.get(options.taskManagerNetworkFraction), {
    min: configuration.get(options.taskManagerNetworkMin),
    max: configuration.get(options.taskManagerNetworkMax) ?? Number.MAX_SAFE_INTEGER,
  });
  const managedShare = Math.floor(totalFlink * configuration.get(options.taskManagerManagedFraction));
  const managed = configuration.get(options.taskManagerManagedSize) ?? managedShare;
  const frameworkHeap = configuration.get(options.taskManagerFrameworkHeapSize);
  const frameworkOffHeap = configuration.get(options.taskManagerFrameworkOffHeapSize);
  const taskOffHeap = configuration.get(options.taskManagerTaskOffHeapSize);
  const rest = totalFlink - network - managed - frameworkHeap - frameworkOffHeap - taskOffHeap;
  const taskHeap = configuration.get(options.taskManagerTaskHeapSize) ?? Math.max(TASK_HEAP_SIZE_BYTES_MIN, rest);
  return {
    frameworkHeap, taskHeap, frameworkOffHeap, taskOffHeap, network, managed, metaspace, overhead,
    totalFlink, totalProcess: totalFlink + metaspace + overhead,
  };
}

function clamp(size: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.floor(Math.min(Math.max(size, min), Math.max(min, max)));
}
