/**
 * Options of memory. Budgets keep Flink's names; what they set on Node.js is said at each key.
 * They are caps, not reservations: an idle TaskManager takes what it needs.
 */
import { ignored, option, optional } from './option.ts';
import { boolean, double, duration, int, map, memory } from './value-types.ts';

const NO_METASPACE = 'Node.js has no metaspace; the size is only subtracted from the process size, as Flink does.';

/** `jobmanager.memory.*`, `taskmanager.memory.*` and the network pool. */
export const memoryOptions = {
  jobManagerProcessSize: option({
    key: 'jobmanager.memory.process.size', type: memory, default: '1600m', since: '0.4',
    description: 'Memory of the JobManager process. The heap limit of Node.js is derived from it.',
  }),
  jobManagerFlinkSize: optional({
    key: 'jobmanager.memory.flink.size', type: memory, since: '0.4', description: 'The process size without metaspace and overhead.',
  }),
  jobManagerHeapSize: optional({
    key: 'jobmanager.memory.heap.size', type: memory, deprecated: ['jobmanager.heap.size', 'jobmanager.heap.mb'], since: '0.4',
    description: 'Heap of the JobManager (`--max-old-space-size`). Unset: derived from the process size.',
  }),
  jobManagerOffHeapSize: option({
    key: 'jobmanager.memory.off-heap.size', type: memory, default: '128 mb', since: '0.4',
    description: 'Memory for buffers outside the heap.',
  }),
  jobManagerMetaspaceSize: option({
    key: 'jobmanager.memory.jvm-metaspace.size', type: memory, default: '256 mb', since: '0.4',
    description: `Part of the process size. ${NO_METASPACE}`,
  }),
  jobManagerOverheadMin: option({
    key: 'jobmanager.memory.jvm-overhead.min', type: memory, default: '192 mb', since: '0.4',
    description: 'Least memory for Node.js itself.',
  }),
  jobManagerOverheadMax: option({
    key: 'jobmanager.memory.jvm-overhead.max', type: memory, default: '1 gb', since: '0.4', description: 'Most memory for Node.js itself.',
  }),
  jobManagerOverheadFraction: option({
    key: 'jobmanager.memory.jvm-overhead.fraction', type: double, default: '0.1', since: '0.4',
    description: 'Share of the process size for Node.js itself.',
  }),
  jobManagerDirectLimit: ignored(
    'jobmanager.memory.enable-jvm-direct-memory-limit', memory, 'Node.js cannot limit memory outside the heap.',
  ),
  taskManagerProcessSize: option({
    key: 'taskmanager.memory.process.size', type: memory, default: '1728m', deprecated: ['taskmanager.heap.size', 'taskmanager.heap.mb'],
    description: 'Memory of the TaskManager process. Each slot’s worker gets its share of the task heap as its heap limit.',
  }),
  taskManagerFlinkSize: optional({
    key: 'taskmanager.memory.flink.size', type: memory, description: 'The process size without metaspace and overhead.',
  }),
  taskManagerFrameworkHeapSize: option({
    key: 'taskmanager.memory.framework.heap.size', type: memory, default: '128 mb', description: 'Heap of the main thread.',
  }),
  taskManagerFrameworkOffHeapSize: option({
    key: 'taskmanager.memory.framework.off-heap.size', type: memory, default: '128 mb',
    description: 'Memory of the main thread outside the heap.',
  }),
  taskManagerTaskHeapSize: optional({
    key: 'taskmanager.memory.task.heap.size', type: memory,
    description: 'Heap of all slots together. Unset: what the process size leaves.',
  }),
  taskManagerTaskOffHeapSize: option({
    key: 'taskmanager.memory.task.off-heap.size', type: memory, default: '0 bytes', description: 'Memory of user code outside the heap.',
  }),
  taskManagerManagedSize: optional({
    key: 'taskmanager.memory.managed.size', type: memory,
    description: 'Caches of the state backend. Unset: by `taskmanager.memory.managed.fraction`.',
  }),
  taskManagerManagedFraction: option({
    key: 'taskmanager.memory.managed.fraction', type: double, default: '0.4',
    description: 'Share of Flink memory for the state backend when no size is given.',
  }),
  taskManagerManagedWeights: optional({
    key: 'taskmanager.memory.managed.consumer-weights', type: map,
    description: 'How managed memory is divided among its consumers.', since: '0.2',
  }),
  taskManagerNetworkMin: option({
    key: 'taskmanager.memory.network.min', type: memory, default: '64 mb', deprecated: ['taskmanager.network.memory.min'],
    description: 'Least memory for network buffers.',
  }),
  taskManagerNetworkMax: optional({
    key: 'taskmanager.memory.network.max', type: memory, deprecated: ['taskmanager.network.memory.max'],
    description: 'Most memory for network buffers. Unset: no limit but the fraction.',
  }),
  taskManagerNetworkFraction: option({
    key: 'taskmanager.memory.network.fraction', type: double, default: '0.1', deprecated: ['taskmanager.network.memory.fraction'],
    description: 'Share of Flink memory for network buffers. Buffers are allocated as channels open.',
  }),
  taskManagerSegmentSize: option({
    key: 'taskmanager.memory.segment-size', type: memory, default: '32 kb', since: '0.2', description: 'Size of a network buffer.',
  }),
  taskManagerMetaspaceSize: option({
    key: 'taskmanager.memory.jvm-metaspace.size', type: memory, default: '256 mb', description: `Part of the process size. ${NO_METASPACE}`,
  }),
  taskManagerOverheadMin: option({
    key: 'taskmanager.memory.jvm-overhead.min', type: memory, default: '192 mb', description: 'Least memory for Node.js itself.',
  }),
  taskManagerOverheadMax: option({
    key: 'taskmanager.memory.jvm-overhead.max', type: memory, default: '1 gb', description: 'Most memory for Node.js itself.',
  }),
  taskManagerOverheadFraction: option({
    key: 'taskmanager.memory.jvm-overhead.fraction', type: double, default: '0.1',
    description: 'Share of the process size for Node.js itself.',
  }),
  networkBuffersPerChannel: option({
    key: 'taskmanager.network.memory.buffers-per-channel', type: int(0), default: '2', since: '0.2',
    description: 'Exclusive buffers of each channel.',
  }),
  networkFloatingBuffersPerGate: option({
    key: 'taskmanager.network.memory.floating-buffers-per-gate', type: int(1), default: '8', since: '0.2',
    description: 'Further buffers that the channels of a gate share.',
  }),
  networkMaxBuffersPerChannel: option({
    key: 'taskmanager.network.memory.max-buffers-per-channel', type: int(1), default: '10', since: '0.2',
    description: 'Most buffers in flight on one channel, so that one slow consumer does not take them all.',
  }),
  networkOverdraftBuffers: option({
    key: 'taskmanager.network.memory.max-overdraft-buffers-per-gate', type: int(0), default: '5', since: '0.2',
    description: 'Buffers beyond the pool that one call of a user function may fill before its task waits.',
  }),
  networkBufferDebloat: option({
    key: 'taskmanager.network.memory.buffer-debloat.enabled', type: boolean,
    default: 'false', since: '0.2', description: 'Size buffers by throughput so that checkpoints pass sooner.',
  }),
  networkBufferDebloatTarget: option({
    key: 'taskmanager.network.memory.buffer-debloat.target', type: duration, default: '1 s', since: '0.2',
    description: 'Time that buffered data should take to process.',
  }),
} as const;
