/** What may be said of a declared operator after the fact; shared by streams and sinks. */
import { planError } from '../graph/build-site.ts';
import { checkParallelism, type OperatorDraft, type StreamGraphBuilder } from '../graph/stream-graph-builder.ts';

/** Kinds of names that Flink shows before the user's. */
const NAME_PREFIXES = ['Source: ', 'Sink: '];

/** Renames an operator; `Source: ` and `Sink: ` stay. */
export function setName(draft: OperatorDraft, name: string): void {
  const prefix = NAME_PREFIXES.find((known) => draft.name.startsWith(known)) ?? '';
  draft.name = prefix + name;
}

/** Throws PLAN_INVALID outside 1..32768, or when the operator cannot run in parallel. */
export function setParallelism(draft: OperatorDraft, parallelism: number): void {
  checkParallelism(`the parallelism of '${draft.name}'`, parallelism);
  if (draft.serialReason !== undefined && parallelism !== 1) {
    throw planError(`'${draft.name}' cannot have parallelism ${parallelism}: ${draft.serialReason}`);
  }
  draft.parallelism = parallelism;
}

/** Throws PLAN_INVALID for a name that is no text, or an empty one: in the plan it would look like none. */
export function setSlotSharingGroup(draft: OperatorDraft, group: string): void {
  if (typeof group !== 'string' || group === '') {
    throw planError(`the slot sharing group of '${draft.name}' must be a text that is not empty, not ${JSON.stringify(group)}`);
  }
  draft.slotSharingGroup = group;
}

/** Throws PLAN_INVALID outside 1..32768. */
export function setMaxParallelism(draft: OperatorDraft, maxParallelism: number): void {
  checkParallelism(`the max parallelism of '${draft.name}'`, maxParallelism);
  draft.maxParallelism = maxParallelism;
}

/** Throws PLAN_INVALID when another operator has this uid. */
export function setUid(builder: StreamGraphBuilder, draft: OperatorDraft, uid: string): void {
  builder.setUid(draft, uid);
}
