/**
 * Strictness that a configuration may ask of a program: declared types where records cross tasks
 * (`pipeline.generic-types: false`), and a uid for every operator (`pipeline.auto-generate-uids: false`).
 */
import { present } from '../base/assert.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { StreamEdge, StreamGraph, StreamNode } from './stream-graph.ts';

/** Throws PLAN_INVALID naming every operator that breaks a rule. `crossing`: the edges between tasks. */
export function checkPlanRules(graph: StreamGraph, crossing: readonly StreamEdge[], configuration: Readonly<Record<string, string>>): void {
  if (configuration['pipeline.generic-types'] === 'false') checkTypes(graph, crossing);
  if (configuration['pipeline.auto-generate-uids'] === 'false') checkUids(graph.nodes);
}

function checkTypes(graph: StreamGraph, crossing: readonly StreamEdge[]): void {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const untyped = crossing.filter(({ source, sideOutput }) => {
    const node = present(nodes.get(source), 'edges join operators of the graph');
    return (sideOutput === null ? node.outputType : node.sideOutputs[sideOutput]) === null;
  });
  if (untyped.length === 0) return;
  const names = new Set(untyped.map(({ source, sideOutput }) => outputName(nodes.get(source)?.name ?? '', sideOutput)));
  throw new ClusterError(
    'PLAN_INVALID',
    `pipeline.generic-types is false, and the output of ${[...names].join(', ')} has no declared type: ` +
      'add .returns(t.…), output: t.… or a typed output tag',
  );
}

function outputName(operator: string, sideOutput: string | null): string {
  return `'${operator}'${sideOutput === null ? '' : ` (side output '${sideOutput}')`}`;
}

function checkUids(nodes: readonly StreamNode[]): void {
  const without = nodes.filter((node) => node.uid === null).map((node) => `'${node.name}'`);
  if (without.length === 0) return;
  throw new ClusterError('PLAN_INVALID', `pipeline.auto-generate-uids is false, and ${without.join(', ')} has no uid: add .uid('…')`);
}
