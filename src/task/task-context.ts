/**
 * What the functions of one subtask learn about where they run, and the metrics they register.
 */
import type { Logger } from '../base/log.ts';
import { present } from '../base/assert.ts';
import type { Counter, RuntimeContext } from '../graph/functions.ts';
import type { JobVertex } from '../graph/job-graph.ts';
import type { TaskAccumulators } from './accumulators.ts';
import type { SlotDeployment } from './slot-protocol.ts';

/** Metrics of the functions, by `<operator>.<metric>`. */
export interface UserMetrics {
  readonly counters: Map<string, { count: number }>;
  readonly gauges: Map<string, () => number | string>;
}

/** The vertex that a deployment is a subtask of. */
export function vertexOf(task: SlotDeployment): JobVertex {
  const { vertexId } = task.deployment;
  return present(task.jobGraph.vertices.find((vertex) => vertex.id === vertexId), `the job graph has vertex ${vertexId}`);
}

/** Flink's form: `tokenizer -> counter (1/4)#0`. */
export function taskNameOf(task: SlotDeployment): string {
  const { deployment } = task;
  const vertex = vertexOf(task);
  return `${vertex.name} (${deployment.subtaskIndex + 1}/${vertex.parallelism})#${deployment.attemptNumber}`;
}

/** The context of one operator. */
export function runtimeContext(
  task: SlotDeployment,
  operatorName: string,
  shared: { readonly accumulators: TaskAccumulators; readonly metrics: UserMetrics; readonly log: Logger },
): RuntimeContext {
  const vertex = vertexOf(task);
  const { deployment, jobGraph } = task;
  const taskName = taskNameOf(task);
  const { accumulators, metrics, log } = shared;
  return {
    jobId: deployment.jobId,
    jobName: jobGraph.name,
    taskName,
    subtaskIndex: deployment.subtaskIndex,
    parallelism: vertex.parallelism,
    maxParallelism: vertex.maxParallelism,
    attemptNumber: deployment.attemptNumber,
    accumulators,
    counter: (name) => counterIn(metrics, `${operatorName}.${name}`),
    gauge: (name, read) => void metrics.gauges.set(`${operatorName}.${name}`, read),
    log: {
      info: (message) => log.info(`${taskName}: ${message}`),
      warn: (message) => log.warn(`${taskName}: ${message}`),
      error: (message) => log.error(`${taskName}: ${message}`),
    },
  };
}

function counterIn(metrics: UserMetrics, name: string): Counter {
  const counter = metrics.counters.get(name) ?? { count: 0 };
  metrics.counters.set(name, counter);
  return { inc: (by = 1) => void (counter.count += by) };
}
