/**
 * What a TaskManager says about itself: once when it registers, then with each heartbeat. Plain data.
 * Where Flink shows facts of the JVM, the Node.js counterpart stands in the same field.
 */
import type { AllocationId, JobId, ResourceId } from './ids.ts';

/** Resources of a slot or of a whole TaskManager. */
export interface ResourceProfile {
  readonly cpuCores: number;
  readonly taskHeapSizeBytes: number;
  readonly taskOffHeapSizeBytes: number;
  readonly managedSizeBytes: number;
  readonly networkSizeBytes: number;
}

/** The machine. */
export interface HardwareDescription {
  readonly cpuCores: number;
  readonly physicalMemorySizeBytes: number;
  /** Heap limit of the process. */
  readonly freeMemorySizeBytes: number;
  readonly managedMemorySizeBytes: number;
}

/** The memory budget by Flink's names. */
export interface MemoryConfiguration {
  readonly frameworkHeapSizeBytes: number;
  readonly taskHeapSizeBytes: number;
  readonly frameworkOffHeapSizeBytes: number;
  readonly taskOffHeapSizeBytes: number;
  readonly networkSizeBytes: number;
  readonly managedSizeBytes: number;
  readonly jvmMetaspaceSizeBytes: number;
  readonly jvmOverheadSizeBytes: number;
  readonly totalFlinkSizeBytes: number;
  readonly totalProcessSizeBytes: number;
}

/** What does not change while the TaskManager lives. */
export interface TaskManagerDescription {
  readonly resourceId: ResourceId;
  readonly host: string;
  readonly rpcPort: number;
  readonly dataPort: number;
  readonly slotCount: number;
  /** Of all slots together; one slot has an equal share. */
  readonly totalResource: ResourceProfile;
  readonly hardware: HardwareDescription;
  readonly memory: MemoryConfiguration;
}

/** Current figures of the process. */
export interface TaskManagerMetrics {
  readonly heapUsedSizeBytes: number;
  readonly heapCommittedSizeBytes: number;
  readonly heapMaxSizeBytes: number;
  /** Resident memory that is not V8 heap. */
  readonly nonHeapUsedSizeBytes: number;
  /** ArrayBuffers and external memory. */
  readonly directUsedSizeBytes: number;
  readonly segmentsTotal: number;
  readonly segmentsAvailable: number;
}

/** No figures yet. */
export const NO_TASK_MANAGER_METRICS: TaskManagerMetrics = {
  heapUsedSizeBytes: 0,
  heapCommittedSizeBytes: 0,
  heapMaxSizeBytes: 0,
  nonHeapUsedSizeBytes: 0,
  directUsedSizeBytes: 0,
  segmentsTotal: 0,
  segmentsAvailable: 0,
};

/** One slot, as its TaskManager sees it. Both ids null: free. */
export interface SlotReport {
  readonly slotIndex: number;
  readonly allocationId: AllocationId | null;
  readonly jobId: JobId | null;
}
