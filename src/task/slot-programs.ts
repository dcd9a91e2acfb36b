/**
 * The programs that a slot has rebuilt. All tasks of a job in the slot share one graph, so that the
 * user's module is imported and built once.
 */
import { checkSamePlan, digestOf, planOf } from '../graph/plan.ts';
import { buildOnce } from '../graph/program.ts';
import type { StreamGraph, JobProgram } from '../graph/stream-graph.ts';
import type { LocalProgram, SlotDeployment } from './slot-protocol.ts';

/** Finds a program: imports a bundle, or looks it up in a registry. Throws PROGRAM_INVALID, ARTIFACT_NOT_FOUND. */
export type LoadProgram = (program: LocalProgram) => Promise<JobProgram>;

/** Jobs whose programs a slot keeps: it serves one job at a time, and an inline slot several in its life. */
const PROGRAMS_MAX = 4;

/** Rebuilt programs by job, newest last. */
export class SlotPrograms {
  private readonly loadProgram: LoadProgram;
  private readonly graphs = new Map<string, Promise<StreamGraph>>();

  constructor(loadProgram: LoadProgram) {
    this.loadProgram = loadProgram;
  }

  /** The job's graph. Throws PLAN_MISMATCH, with the differences, when the rebuild differs from the submitted plan. */
  graph(task: SlotDeployment): Promise<StreamGraph> {
    const name = `${task.jobGraph.jobId}/${task.jobGraph.planDigest}`;
    const known = this.graphs.get(name);
    if (known !== undefined) return known;
    const graph = this.rebuild(task);
    graph.catch(() => this.graphs.delete(name));
    this.graphs.set(name, graph);
    for (const oldest of this.graphs.keys()) {
      if (this.graphs.size <= PROGRAMS_MAX) break;
      this.graphs.delete(oldest);
    }
    return graph;
  }

  private async rebuild({ program, jobGraph }: SlotDeployment): Promise<StreamGraph> {
    const loaded = await this.loadProgram(program);
    const graph = buildOnce(loaded, { args: jobGraph.args, configuration: jobGraph.configuration });
    const plan = planOf(graph);
    if (digestOf(plan) !== jobGraph.planDigest) checkSamePlan(jobGraph.plan, plan, `job '${jobGraph.name}' in its slot`);
    return graph;
  }
}
