/** What a TaskManager logs of its tasks: Flink's texts, under Flink's logger names. */
import type { Logger } from '../base/log.ts';
import { errorFromInfo } from '../protocol/errors.ts';
import { isTerminalExecutionState, type ExecutionState } from '../protocol/states.ts';
import { spellTask, type Task } from './task-executor.core.ts';

export interface TaskLoggers {
  readonly executor: Logger;
  readonly task: Logger;
}

/** The lines of one transition. */
export function logSwitch(
  { executor, task: log }: TaskLoggers, change: { readonly task: Task; readonly from: ExecutionState; readonly to: ExecutionState },
): void {
  const { task, from, to } = change;
  const name = spellTask(task);
  if (from === 'CREATED' && to === 'DEPLOYING') {
    executor.info(`Received task ${name}, deploy into slot with allocation id ${task.deployment.allocationId}.`);
  }
  if (to === 'FAILED' && task.error) log.warn(`${name} switched from ${from} to FAILED with failure cause:`, errorFromInfo(task.error));
  else log.info(`${name} switched from ${from} to ${to}.`);
  if (to === 'DEPLOYING') log.info(`Loading JAR files for task ${name} [DEPLOYING].`);
  if (!isTerminalExecutionState(to)) return;
  log.info(`Freeing task resources for ${name}.`);
  const title = name.slice(0, name.lastIndexOf(' '));
  executor.info(
    `Un-registering task and sending final execution state ${to} to JobManager for task ${title} ${task.deployment.attemptId}.`,
  );
}
