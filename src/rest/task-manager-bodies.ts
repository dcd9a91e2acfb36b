/**
 * Answers about TaskManagers. Where Flink shows facts of the JVM, the counterpart of Node.js stands in
 * the same field: V8 heap for heap, ArrayBuffers for direct memory.
 */
import type { TaskManagerDetails } from '../dispatcher/gateway.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { ResourceProfile } from '../protocol/task-manager.ts';

const MEBIBYTE = 1024 * 1024;

/** A line of `GET /taskmanagers`. */
export function taskManagerBody(taskManager: TaskManagerDetails): JsonObject {
  const { description, freeSlotCount } = taskManager;
  const { memory, hardware, totalResource } = description;
  return {
    id: description.resourceId,
    path: `pekko.tcp://flink@${description.host}:${description.rpcPort}/user/rpc/taskmanager_0`,
    dataPort: description.dataPort,
    jmxPort: -1,
    timeSinceLastHeartbeat: taskManager.lastHeartbeatMs,
    slotsNumber: description.slotCount,
    freeSlots: freeSlotCount,
    totalResource: resourceBody(totalResource, 1),
    freeResource: resourceBody(totalResource, description.slotCount === 0 ? 0 : freeSlotCount / description.slotCount),
    hardware: {
      cpuCores: hardware.cpuCores,
      physicalMemory: hardware.physicalMemorySizeBytes,
      freeMemory: hardware.freeMemorySizeBytes,
      managedMemory: hardware.managedMemorySizeBytes,
    },
    memoryConfiguration: {
      frameworkHeap: memory.frameworkHeapSizeBytes,
      taskHeap: memory.taskHeapSizeBytes,
      frameworkOffHeap: memory.frameworkOffHeapSizeBytes,
      taskOffHeap: memory.taskOffHeapSizeBytes,
      networkMemory: memory.networkSizeBytes,
      managedMemory: memory.managedSizeBytes,
      jvmMetaspace: memory.jvmMetaspaceSizeBytes,
      jvmOverhead: memory.jvmOverheadSizeBytes,
      totalFlinkMemory: memory.totalFlinkSizeBytes,
      totalProcessMemory: memory.totalProcessSizeBytes,
    },
  };
}

/** `GET /taskmanagers/:taskmanagerid`. */
export function taskManagerDetailsBody(taskManager: TaskManagerDetails): JsonObject {
  const { metrics, description } = taskManager;
  const share = description.slotCount === 0 ? 0 : 1 / description.slotCount;
  const allocated = taskManager.slots.filter((slot) => slot.jobId !== null);
  const segmentSizeBytes = metrics.segmentsTotal === 0 ? 0 : description.memory.networkSizeBytes / metrics.segmentsTotal;
  const segmentsUsed = metrics.segmentsTotal - metrics.segmentsAvailable;
  return {
    ...taskManagerBody(taskManager),
    allocatedSlots: allocated.map((slot) => ({ jobId: slot.jobId, resource: resourceBody(description.totalResource, share) })),
    metrics: {
      heapUsed: metrics.heapUsedSizeBytes,
      heapCommitted: metrics.heapCommittedSizeBytes,
      heapMax: metrics.heapMaxSizeBytes,
      nonHeapUsed: metrics.nonHeapUsedSizeBytes,
      nonHeapCommitted: metrics.nonHeapUsedSizeBytes,
      nonHeapMax: -1,
      directCount: 0,
      directUsed: metrics.directUsedSizeBytes,
      directMax: metrics.directUsedSizeBytes,
      mappedCount: 0,
      mappedUsed: 0,
      mappedMax: 0,
      memorySegmentsAvailable: metrics.segmentsAvailable,
      memorySegmentsTotal: metrics.segmentsTotal,
      nettyShuffleMemorySegmentsAvailable: metrics.segmentsAvailable,
      nettyShuffleMemorySegmentsUsed: segmentsUsed,
      nettyShuffleMemorySegmentsTotal: metrics.segmentsTotal,
      nettyShuffleMemoryAvailable: metrics.segmentsAvailable * segmentSizeBytes,
      nettyShuffleMemoryUsed: segmentsUsed * segmentSizeBytes,
      nettyShuffleMemoryTotal: description.memory.networkSizeBytes,
      garbageCollectors: [],
    },
  };
}

function resourceBody(total: ResourceProfile, share: number): JsonObject {
  const mebibytes = (sizeBytes: number): number => Math.floor((sizeBytes * share) / MEBIBYTE);
  return {
    cpuCores: total.cpuCores * share,
    taskHeapMemory: mebibytes(total.taskHeapSizeBytes),
    taskOffHeapMemory: mebibytes(total.taskOffHeapSizeBytes),
    managedMemory: mebibytes(total.managedSizeBytes),
    networkMemory: mebibytes(total.networkSizeBytes),
    extendedResources: {},
  };
}
