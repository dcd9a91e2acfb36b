/**
 * StreamGraph: what a program's build function makes. Nodes are operators, edges say how records get
 * from one to the next. `planOf` extracts the plain data that the digest covers.
 */
import type { JsonObject } from '../protocol/json.ts';
import type { OperatorId } from '../protocol/ids.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Partitioner } from './functions.ts';
import type { KeySpec, OperatorSpec } from './operator-spec.ts';

/** How the records of an edge spread over the consumer's subtasks. */
export type Partitioning =
  | { readonly kind: 'forward' | 'rebalance' | 'rescale' | 'shuffle' | 'broadcast' | 'global' }
  /** By key group of the consumer's key (`StreamNode.keys[inputIndex]`). */
  | { readonly kind: 'hash'; readonly key: KeySpec }
  | { readonly kind: 'custom'; readonly partitioner: Partitioner<unknown>; readonly key: KeySpec };

export type PartitioningKind = Partitioning['kind'];

/** One operator of the program. */
export interface StreamNode {
  /** 1, 2, 3… in build order; the same in every rebuild. */
  readonly id: number;
  readonly operatorId: OperatorId;
  readonly uid: string | null;
  readonly name: string;
  readonly spec: OperatorSpec;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** The program or its configuration says it; otherwise it follows from the parallelism, and a savepoint may say otherwise. */
  readonly maxParallelismSet: boolean;
  /** One subtask, whatever anybody asks for. */
  readonly isSerial: boolean;
  readonly slotSharingGroup: string;
  /** `head`: starts a chain but others may follow; `never`: always alone. */
  readonly chaining: 'always' | 'head' | 'never';
  /** By input index; null for inputs that are not keyed. */
  readonly keys: readonly (KeySpec | null)[];
  /** Type of the main output; null when not declared (fallback codec across slots). */
  readonly outputType: TypeDescriptor<unknown> | null;
  /** Types of side outputs by tag id; null when not declared. */
  readonly sideOutputs: Readonly<Record<string, TypeDescriptor<unknown> | null>>;
}

/** A consumer's input. Several edges may end at the same (target, inputIndex): that is a union. */
export interface StreamEdge {
  readonly source: number;
  readonly target: number;
  /** 0, or 1 for the second input of a two-input operator. */
  readonly inputIndex: 0 | 1;
  readonly partitioning: Partitioning;
  /** Side output this edge reads; null for the main output. */
  readonly sideOutput: string | null;
}

/** A built program. */
export interface StreamGraph {
  readonly jobName: string;
  /** By ascending id. */
  readonly nodes: readonly StreamNode[];
  /** In build order. */
  readonly edges: readonly StreamEdge[];
  /** What the program itself set (`env.setBufferTimeout` and the like): overlays the job's configuration. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** What the build function depends on besides the user's code: sent along so that every rebuild sees the same. */
export interface BuildSettings {
  /** Program arguments after parsing. */
  readonly args: JsonObject;
  /** Effective configuration of the job: cluster configuration overlaid by `-D` and `-p`. Flat dotted keys. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** Key of `BuildSettings.configuration` under which a client says from where relative paths are meant. */
export const WORKING_DIRECTORY_KEY = 'client.working-directory';

/** A job program, as the default export of a job module (made by `job()` of the api room). */
export interface JobProgram {
  readonly dreyJob: 1;
  readonly name: string;
  /**
   * Parses `--key value` words into args. Relative paths are meant from `workingDirectory`: that of the client, not of the
   * process that parses (default: its own). Throws `ClusterError` PROGRAM_INVALID naming the argument.
   */
  parseArgs(words: readonly string[], workingDirectory?: string): JsonObject;
  /** Runs the user's build function under the build-phase traps. */
  build(settings: BuildSettings): StreamGraph;
}

/** The plain-data half of a StreamGraph: equal plans mean interchangeable programs. */
export interface Plan extends JsonObject {
  readonly nodes: readonly JsonObject[];
  readonly edges: readonly JsonObject[];
  readonly configuration: JsonObject;
}
