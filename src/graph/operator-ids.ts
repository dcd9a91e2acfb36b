/**
 * Operator ids: what state is mapped by. An operator with a `uid` has an id that survives any change of
 * the program around it; without one the id is a hash of its place in the graph (kind, inputs, and how many
 * like it came before), so it changes with the topology; never with the parallelism.
 *
 * Source: Flink `StreamGraphHasherV2`.
 */
import { createHash } from 'node:crypto';
import { present } from '../base/assert.ts';
import { canonicalJson, type JsonValue } from '../protocol/json.ts';
import type { OperatorId } from '../protocol/ids.ts';

/** The place of one operator, inputs before consumers. */
export interface OperatorPlace {
  readonly nodeId: number;
  readonly uid: string | null;
  readonly kind: string;
  readonly inputs: readonly { readonly source: number; readonly inputIndex: number; readonly sideOutput: string | null }[];
}

/** Ids by node id. `places` in topological order (build order is one: an operator is declared after its inputs). */
export function operatorIdsOf(places: readonly OperatorPlace[]): ReadonlyMap<number, OperatorId> {
  const ids = new Map<number, OperatorId>();
  const seen = new Map<string, number>();
  for (const place of places) {
    const structure = structureOf(place, ids);
    const ordinal = seen.get(structure) ?? 0;
    seen.set(structure, ordinal + 1);
    ids.set(place.nodeId, place.uid === null ? hash32(`place:${structure}#${ordinal}`) : operatorIdOfUid(place.uid));
  }
  return ids;
}

/** The id of an operator with this uid, in any program. */
export function operatorIdOfUid(uid: string): OperatorId {
  return hash32(`uid:${uid}`);
}

function structureOf(place: OperatorPlace, ids: ReadonlyMap<number, OperatorId>): string {
  const inputs: JsonValue[] = place.inputs.map((input) => [
    present(ids.get(input.source), 'inputs are declared before their consumers'),
    input.inputIndex,
    input.sideOutput,
  ]);
  return canonicalJson([place.kind, inputs]);
}

function hash32(text: string): OperatorId {
  return createHash('sha256').update(text).digest('hex').slice(0, 32) as OperatorId;
}
