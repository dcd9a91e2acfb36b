/**
 * Collects what a build function declares, and resolves it into a StreamGraph.
 *
 * An operator is a draft until the program has been read to its end, since `setParallelism` and its like
 * may come at any time after the operator was declared. A null in a draft means "not said": it is filled in by `finish`
 * from the levels above, in Flink's order: operator, environment, submission (`-p`, `-D`), default.
 */
import { present } from '../base/assert.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import { buildSite, planError, type BuildSite } from './build-site.ts';
import { MAX_PARALLELISM_LIMIT, deriveMaxParallelism } from './key-groups.ts';
import { operatorIdsOf, type OperatorPlace } from './operator-ids.ts';
import type { KeySpec, OperatorSpec } from './operator-spec.ts';
import type { Partitioning, StreamEdge, StreamGraph, StreamNode } from './stream-graph.ts';

/** Where a stream comes out of an operator, and how it is to be spread. */
export interface Outlet {
  readonly operator: OperatorDraft;
  /** Null: the main output. */
  readonly sideOutput: string | null;
  /** Null: forward where the parallelism agrees, else rebalance. */
  readonly partitioning: Partitioning | null;
}

/** What is known of an operator when it is declared. */
export interface OperatorDeclaration {
  readonly spec: OperatorSpec;
  readonly name: string;
  /** By input index: the outlets that feed the input (several: a union). */
  readonly inputs: readonly (readonly Outlet[])[];
  readonly keys?: readonly (KeySpec | null)[];
  readonly outputType?: TypeDescriptor<unknown> | null | undefined;
  /** The operator cannot run in parallel; the reason, for messages. */
  readonly serialReason?: string;
}

/** A declared operator. Null: not said. */
export interface OperatorDraft extends OperatorDeclaration {
  readonly id: number;
  readonly site: BuildSite;
  name: string;
  uid: string | null;
  parallelism: number | null;
  maxParallelism: number | null;
  slotSharingGroup: string | null;
  chaining: StreamNode['chaining'];
  outputType: TypeDescriptor<unknown> | null;
  readonly sideOutputs: Map<string, TypeDescriptor<unknown> | null>;
}

const DEFAULT_SLOT_SHARING_GROUP = 'default';

/** One program under construction. */
export class StreamGraphBuilder {
  /** Environment level. */
  parallelism: number | null = null;
  maxParallelism: number | null = null;
  readonly jobName: string;
  private readonly submitted: Readonly<Record<string, string>>;
  private readonly configuration: Record<string, string> = {};
  private readonly drafts: OperatorDraft[] = [];
  /** How many drafts were there at the last `finish`. */
  private finished = 0;

  /** `submitted`: `BuildSettings.configuration`. */
  constructor(jobName: string, submitted: Readonly<Record<string, string>>) {
    this.jobName = jobName;
    this.submitted = submitted;
  }

  /** Declares an operator. Throws PLAN_INVALID when an input belongs to another program. */
  add(declaration: OperatorDeclaration): OperatorDraft {
    const site = buildSite();
    for (const { operator } of declaration.inputs.flat()) {
      if (!this.drafts.includes(operator)) throw planError('a stream of another environment cannot be used here', site);
    }
    const draft: OperatorDraft = {
      ...declaration,
      id: this.drafts.length + 1,
      site,
      uid: null,
      parallelism: null,
      maxParallelism: null,
      slotSharingGroup: null,
      chaining: 'always',
      outputType: declaration.outputType ?? null,
      sideOutputs: new Map(),
    };
    this.drafts.push(draft);
    return draft;
  }

  /** Sets a configuration key from within the program. */
  configure(key: string, value: string): void {
    this.configuration[key] = value;
  }

  /** Throws PLAN_INVALID when another operator has this uid. */
  setUid(draft: OperatorDraft, uid: string): void {
    const owner = this.drafts.find((other) => other !== draft && other.uid === uid);
    if (uid === '') throw planError(`the uid of '${draft.name}' is empty`);
    if (owner) {
      throw planError(
        `duplicate uid '${uid}': '${owner.name}' and '${draft.name}' would share their state; give each operator its own uid`,
      );
    }
    draft.uid = uid;
  }

  /** Registers a side output. Throws PLAN_INVALID when its id is in use with another type. */
  addSideOutput(draft: OperatorDraft, id: string, type: TypeDescriptor<unknown> | null): void {
    const known = draft.sideOutputs.get(id);
    if (known && type && known.name !== type.name) {
      throw planError(`side output '${id}' of '${draft.name}' has type ${known.name} and cannot also have type ${type.name}`);
    }
    draft.sideOutputs.set(id, known ?? type);
  }

  /**
   * Resolves what was declared since the last `finish`, with all that it reads from: a local environment may run several
   * programs. Throws PLAN_INVALID naming the operator and where it was declared.
   */
  finish(): StreamGraph {
    const drafts = this.usedSince(this.finished);
    this.finished = this.drafts.length;
    if (drafts.length === 0) {
      throw new ClusterError(
        'PLAN_INVALID',
        `The program didn't contain a Flink job: the build function of '${this.jobName}' defined no operators. ` +
          'Start from a source (env.readTextFile, env.fromSource, …) and end in a sink (print, writeAsText, sinkTo, …).',
      );
    }
    return this.resolve(drafts);
  }

  /** The operators from index `first` on, and those that they read from. Sources that nobody reads are left out. */
  private usedSince(first: number): readonly OperatorDraft[] {
    const used = new Set(this.drafts.slice(first).filter((draft) => draft.inputs.length > 0));
    for (const draft of used) for (const { operator } of draft.inputs.flat()) used.add(operator); // Also visits what it adds.
    return this.drafts.filter((draft) => used.has(draft));
  }

  private resolve(drafts: readonly OperatorDraft[]): StreamGraph {
    checkCollectIds(drafts);
    const parallelism = new Map(drafts.map((draft) => [draft, this.parallelismOf(draft)]));
    const edges = drafts.flatMap((draft) => edgesInto(draft, parallelism));
    const ids = operatorIdsOf(drafts.map((draft) => placeOf(draft, edges)));
    const groups = slotSharingGroupsOf(drafts);
    const nodes = drafts.map((draft): StreamNode => {
      const p = parallelism.get(draft) ?? 1;
      return {
        id: draft.id,
        operatorId: present(ids.get(draft.id), 'every operator has an id'),
        uid: draft.uid,
        name: draft.name,
        spec: draft.spec,
        parallelism: p,
        maxParallelism: this.maxParallelismOf(draft, p),
        maxParallelismSet: this.saidMaxParallelism(draft) !== null,
        isSerial: draft.serialReason !== undefined,
        slotSharingGroup: groups.get(draft) ?? DEFAULT_SLOT_SHARING_GROUP,
        chaining: draft.chaining,
        keys: draft.keys ?? draft.inputs.map(() => null),
        outputType: draft.outputType,
        sideOutputs: Object.fromEntries(draft.sideOutputs),
      };
    });
    return { jobName: this.jobName, nodes, edges, configuration: this.configuration };
  }

  private parallelismOf(draft: OperatorDraft): number {
    if (draft.serialReason !== undefined) return 1;
    return draft.parallelism ?? this.parallelism ?? this.submittedNumber('parallelism.default') ?? 1;
  }

  private maxParallelismOf(draft: OperatorDraft, parallelism: number): number {
    const max = this.saidMaxParallelism(draft) ?? deriveMaxParallelism(parallelism);
    if (parallelism > max) {
      throw planError(`'${draft.name}' has parallelism ${parallelism}, above its max parallelism ${max}`, draft.site);
    }
    return max;
  }

  private saidMaxParallelism(draft: OperatorDraft): number | null {
    return draft.maxParallelism ?? this.maxParallelism ?? this.submittedNumber('pipeline.max-parallelism');
  }

  /** A configured number; null when absent or -1 (Flink's "derive it"). */
  private submittedNumber(key: string): number | null {
    const text = this.submitted[key];
    if (text === undefined || text === '-1') return null;
    checkParallelism(`${key} '${text}'`, Number(text));
    return Number(text);
  }
}

/** Throws PLAN_INVALID unless 1 ≤ `value` ≤ 32768. `what` opens the message. */
export function checkParallelism(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_PARALLELISM_LIMIT) return;
  throw planError(`${what} must be an integer from 1 to ${MAX_PARALLELISM_LIMIT}, not ${value}`);
}

/** Whoever runs the job asks for records by the id of their sink. */
function checkCollectIds(drafts: readonly OperatorDraft[]): void {
  const seen = new Set<string>();
  for (const { spec, site } of drafts) {
    if (spec.kind !== 'sink.collect') continue;
    if (seen.has(spec.data.id)) throw planError(`two collect sinks have the id '${spec.data.id}'; give each its own`, site);
    seen.add(spec.data.id);
  }
}

function edgesInto(draft: OperatorDraft, parallelism: ReadonlyMap<OperatorDraft, number>): readonly StreamEdge[] {
  return draft.inputs.flatMap((outlets, inputIndex) =>
    outlets.map((outlet) => ({
      source: outlet.operator.id,
      target: draft.id,
      inputIndex: inputIndex as 0 | 1,
      partitioning: partitioningOf(outlet, draft, parallelism),
      sideOutput: outlet.sideOutput,
    })),
  );
}

function partitioningOf(outlet: Outlet, target: OperatorDraft, parallelism: ReadonlyMap<OperatorDraft, number>): Partitioning {
  const producers = parallelism.get(outlet.operator);
  const consumers = parallelism.get(target);
  if (outlet.partitioning === null) return { kind: producers === consumers ? 'forward' : 'rebalance' };
  if (outlet.partitioning.kind === 'forward' && producers !== consumers) {
    throw planError(
      `forward needs equal parallelism, but '${outlet.operator.name}' has ${producers} and '${target.name}' has ${consumers}; ` +
        'use rebalance() or rescale()',
      target.site,
    );
  }
  return outlet.partitioning;
}

function placeOf(draft: OperatorDraft, edges: readonly StreamEdge[]): OperatorPlace {
  const inputs = edges.filter((edge) => edge.target === draft.id);
  return {
    nodeId: draft.id,
    uid: draft.uid,
    kind: draft.spec.kind,
    inputs: inputs.map(({ source, inputIndex, sideOutput }) => ({ source, inputIndex, sideOutput })),
  };
}

/** An operator without a group is in the group of its inputs when they agree, else in `default`. */
function slotSharingGroupsOf(drafts: readonly OperatorDraft[]): ReadonlyMap<OperatorDraft, string> {
  const groups = new Map<OperatorDraft, string>();
  for (const draft of drafts) {
    const inherited = new Set(draft.inputs.flat().map(({ operator }) => groups.get(operator)));
    const [only] = inherited;
    groups.set(draft, draft.slotSharingGroup ?? (inherited.size === 1 && only !== undefined ? only : DEFAULT_SLOT_SHARING_GROUP));
  }
  return groups;
}
