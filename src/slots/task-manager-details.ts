/** A registered TaskManager as REST shows it. Plain data, taken from the ResourceManager. */
import type { InstanceId } from '../protocol/ids.ts';
import type { SlotReport, TaskManagerDescription, TaskManagerMetrics } from '../protocol/task-manager.ts';

/** One registered TaskManager. */
export interface TaskManagerDetails {
  readonly description: TaskManagerDescription;
  readonly instanceId: InstanceId;
  /** Wall clock of the last heartbeat, ms. */
  readonly lastHeartbeatMs: number;
  /** Ascending by slot index. */
  readonly slots: readonly SlotReport[];
  readonly freeSlotCount: number;
  readonly metrics: TaskManagerMetrics;
}
