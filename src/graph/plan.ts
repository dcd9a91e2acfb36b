/**
 * The plan: the plain-data half of a StreamGraph. Programs are rebuilt wherever they run, so the plan's
 * digest is what tells that a rebuild is the same program; the diff is what tells a user why it is not.
 */
import { createHash } from 'node:crypto';
import { ClusterError } from '../protocol/errors.ts';
import type { PlanDigest } from '../protocol/ids.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../protocol/json.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { StateSpec, StateSpecs } from './functions.ts';
import type { KeySpec } from './operator-spec.ts';
import type { Plan, StreamEdge, StreamGraph, StreamNode } from './stream-graph.ts';

/** Differences that one message lists at most. */
const DIFFERENCES_MAX = 8;

/** Extracts the plain data of a program. */
export function planOf(graph: StreamGraph): Plan {
  return {
    jobName: graph.jobName,
    configuration: graph.configuration,
    nodes: graph.nodes.map(planNode),
    edges: graph.edges.map(planEdge),
  };
}

/** SHA-256 of the canonical JSON of a plan. */
export function digestOf(plan: Plan): PlanDigest {
  return createHash('sha256').update(canonicalJson(plan)).digest('hex') as PlanDigest;
}

/** Throws PLAN_MISMATCH, with the differences, unless both plans are equal. `occasion` opens the message. */
export function checkSamePlan(expected: Plan, actual: Plan, occasion: string): void {
  const differences = explainMismatch(expected, actual);
  if (differences.length === 0) return;
  const shown = differences.slice(0, DIFFERENCES_MAX).map((line) => `\n  ${line}`);
  const more = differences.length > DIFFERENCES_MAX ? `\n  … and ${differences.length - DIFFERENCES_MAX} more` : '';
  throw new ClusterError(
    'PLAN_MISMATCH',
    `${occasion}: the build function made a different plan from the same arguments.${shown.join('')}${more}\n` +
      'A build function may depend on nothing but env and args: pass what varies as an argument, or read it in open().',
  );
}

/** One line per difference, in build order; empty when the plans are equal. */
export function explainMismatch(expected: Plan, actual: Plan): readonly string[] {
  const lines = [...differencesOf('job', jobOf(expected), jobOf(actual))];
  for (let i = 0; i < Math.max(expected.nodes.length, actual.nodes.length); i++) {
    lines.push(...nodeDifferences(expected.nodes[i], actual.nodes[i]));
  }
  return lines.length > 0 ? lines : listDifferences(expected.edges, actual.edges);
}

function jobOf(plan: Plan): JsonObject {
  return { name: plan['jobName'] ?? null, ...plan.configuration };
}

function nodeDifferences(expected: JsonObject | undefined, actual: JsonObject | undefined): readonly string[] {
  if (!expected) return [`operator ${labelOf(actual)} was not there before`];
  if (!actual) return [`operator ${labelOf(expected)} is missing`];
  return differencesOf(`operator ${labelOf(expected)}`, expected, actual);
}

function listDifferences(expected: readonly JsonObject[], actual: readonly JsonObject[]): readonly string[] {
  const before = new Set(expected.map(canonicalJson));
  const after = new Set(actual.map(canonicalJson));
  return [
    ...[...before].filter((edge) => !after.has(edge)).map((edge) => `edge ${edge} is missing`),
    ...[...after].filter((edge) => !before.has(edge)).map((edge) => `edge ${edge} was not there before`),
  ];
}

function differencesOf(what: string, expected: JsonObject, actual: JsonObject): readonly string[] {
  const fields = [...new Set([...Object.keys(expected), ...Object.keys(actual)])];
  return fields
    .map((field) => ({ field, before: textOf(expected[field]), after: textOf(actual[field]) }))
    .filter(({ before, after }) => before !== after)
    .map(({ field, before, after }) => `${what}: ${field} was ${before}, now ${after}`);
}

function textOf(value: JsonValue | undefined): string {
  return value === undefined ? 'absent' : canonicalJson(value);
}

function labelOf(node: JsonObject | undefined): string {
  return node ? `${node['id'] as number} '${node['name'] as string}'` : '?';
}

function planNode(node: StreamNode): JsonObject {
  const { id, operatorId, uid, name, parallelism, maxParallelism, slotSharingGroup, chaining } = node;
  return {
    id, operatorId, uid, name, parallelism, maxParallelism, slotSharingGroup, chaining,
    kind: node.spec.kind,
    data: node.spec.data,
    ...('watermarks' in node.spec && node.spec.watermarks ? { watermarks: node.spec.watermarks.data } : {}),
    states: stateSchemas(node),
    keys: node.keys.map(keySchema),
    outputType: schemaOf(node.outputType),
    sideOutputs: Object.fromEntries(Object.entries(node.sideOutputs).map(([tag, type]) => [tag, schemaOf(type)])),
  };
}

function planEdge(edge: StreamEdge): JsonObject {
  const { source, target, inputIndex, sideOutput, partitioning } = edge;
  return { source, target, inputIndex, sideOutput, partitioning: partitioning.kind };
}

/** Schemas of the states that a process function declares, by name. */
function stateSchemas(node: StreamNode): JsonObject {
  const { user } = node.spec;
  const broadcast = 'broadcast' in user ? { ...user.function.state, ...user.broadcast } : {};
  const declared = 'state' in user ? ((user.state ?? {}) as StateSpecs) : broadcast;
  const ofOperator = 'operatorState' in user ? (user.operatorState ?? {}) : {};
  const lists = Object.entries(ofOperator).map(([name, { kind, type }]) => [`operator ${name}`, { kind, type: type.schema }]);
  return Object.fromEntries([...Object.entries(declared).map(([name, spec]) => [name, stateSchema(spec)]), ...lists]) as JsonObject;
}

function stateSchema(spec: StateSpec): JsonObject {
  const { kind, type } = spec;
  return { kind, type: type.schema, ...(kind === 'map' ? { key: spec.keyType.schema } : {}) };
}

function keySchema(key: KeySpec | null): JsonValue {
  return key === null ? null : { type: schemaOf(key.type) };
}

function schemaOf(type: TypeDescriptor<unknown> | null): JsonValue {
  return type === null ? null : type.schema;
}
