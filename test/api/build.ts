/** Builds programs for tests. */
import { job, type StreamExecutionEnvironment } from '../../src/index.ts';
import { buildProgram } from '../../src/graph/program.ts';
import { jobGraphOf } from '../../src/graph/job-graph-builder.ts';
import type { JobGraph } from '../../src/graph/job-graph.ts';
import type { StreamGraph } from '../../src/graph/stream-graph.ts';
import type { JobId } from '../../src/protocol/ids.ts';

type Build = (env: StreamExecutionEnvironment) => void;

/** The StreamGraph of a build function. */
export function graphOf(build: Build, configuration: Readonly<Record<string, string>> = {}): StreamGraph {
  const program = job({ name: 'test' }, (env) => {
    build(env);
  });
  return buildProgram(program, { args: {}, configuration });
}

/** The JobGraph of a build function. */
export function jobOf(build: Build, configuration: Readonly<Record<string, string>> = {}): JobGraph {
  return jobGraphOf(graphOf(build, configuration), {
    jobId: '0123456789abcdef0123456789abcdef' as JobId,
    program: { kind: 'registered', id: 'test' },
    args: {},
    configuration,
    submittedAtMs: 0,
  });
}

/** One line per edge: `source -> target: how`. */
export function edgesOf(graph: StreamGraph): readonly string[] {
  const nameOf = (id: number) => graph.nodes.find((node) => node.id === id)?.name ?? '?';
  return graph.edges.map(({ source, target, partitioning, inputIndex, sideOutput }) => {
    const input = inputIndex === 0 ? '' : ` (input ${inputIndex})`;
    return `${nameOf(source)}${sideOutput === null ? '' : `[${sideOutput}]`} -> ${nameOf(target)}${input}: ${partitioning.kind}`;
  });
}
