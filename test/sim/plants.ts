/** Planted bugs: each breaks one line of the control plane, and the simulator must notice. */
import { CheckpointCoordinator } from '../../src/jobmaster/checkpoint-coordinator.ts';
import { JobMaster } from '../../src/jobmaster/job-master.ts';
import { ResourceManager } from '../../src/slots/resource-manager.ts';
import { TaskManagerSession } from '../../src/slots/task-manager-session.ts';
import { TaskExecutorCore } from '../../src/task/task-executor.core.ts';

type Method = (this: never, ...args: never[]) => unknown;

function replace(prototype: object, name: string, broken: Method): () => void {
  const methods = prototype as Record<string, Method>;
  const sound = methods[name] as Method;
  methods[name] = broken;
  return () => void (methods[name] = sound);
}

/** By name; answers how to mend it. */
export const PLANTS: Readonly<Record<string, () => () => void>> = {
  /** A JobMaster that does not hear of lost slots waits for ever. */
  lostSlotsForgotten: () => replace(JobMaster.prototype, 'slotLost', () => undefined),
  /** Slots of a job that is over are never given back. */
  slotsLeak: () => replace(ResourceManager.prototype, 'removeJob', () => undefined),
  /** Cancellations do not reach the TaskManager. */
  cancelForgotten: () => replace(TaskManagerSession.prototype, 'cancelTask', () => Promise.resolve()),
  /** A slot whose worker died keeps its tasks as they were. */
  deadWorkerIgnored: () => replace(TaskExecutorCore.prototype, 'workerExited', () => []),
  /** New attempts begin empty although there is a checkpoint. */
  restoreForgotten: () => replace(CheckpointCoordinator.prototype, 'restoreOf', () => null),
  /** A freed slot leaves its tasks running. */
  freedSlotKeepsRunning: () => replace(TaskExecutorCore.prototype, 'replaceWorker', () => []),
};
