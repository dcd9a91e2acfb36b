/**
 * One keyed operator on the heap backend, without a chain: what it leaves in state and timers can be counted, and it can
 * be replaced between two steps by one that was restored from its snapshot.
 */
import { systemPorts } from '../../src/base/system-ports.ts';
import type { RuntimeContext } from '../../src/graph/functions.ts';
import type { StreamGraph } from '../../src/graph/stream-graph.ts';
import { createOperator, type OperatorNodeSpec } from '../../src/operators/create-operator.ts';
import type { StreamOperator } from '../../src/operators/operator.ts';
import { heapBackend } from '../../src/state/heap-backend.ts';
import type { KeyedSnapshot, KeyedStateStore, SnapshotMode } from '../../src/state/keyed-state-store.ts';
import { HeapTimerService } from '../../src/state/timer-service.ts';

const KEY_GROUPS = { first: 0, last: 127, maxParallelism: 128 };
const SLICE_BYTES = 64;

interface File {
  readonly meta: KeyedSnapshot['meta'];
  readonly bytes: Uint8Array;
}

export interface OutputRecord {
  readonly value: unknown;
  readonly timestampMs: number;
}

export class KeyedOperatorDriver {
  readonly output: OutputRecord[] = [];
  readonly late: OutputRecord[] = [];
  private readonly graph: StreamGraph;
  private readonly node: StreamGraph['nodes'][number];
  private operator: StreamOperator;
  private store: KeyedStateStore;
  private timers: HeapTimerService;
  private files: readonly File[] = [];
  private checkpointId = 0;

  /** Takes the first operator of a kind out of a program. */
  constructor(graph: StreamGraph, kind: string) {
    const node = graph.nodes.find(({ spec }) => spec.kind === kind);
    if (node === undefined) throw new Error(`the program has no ${kind}`);
    this.graph = graph;
    this.node = node;
    ({ operator: this.operator, store: this.store, timers: this.timers } = this.make());
    this.open();
  }

  process(value: unknown, timestampMs: number, input: 0 | 1 = 0): void {
    this.operator.process(value, timestampMs, input);
  }

  watermark(timestampMs: number): void {
    while (this.operator.onEvent?.({ kind: 'watermark', timestampMs }) === 'more');
  }

  /** Values of all states, and timers of both kinds. */
  leftovers(): { readonly entries: number; readonly timers: number } {
    return { entries: this.store.entryCount, timers: this.timers.count('event') + this.timers.count('processing') };
  }

  /** A new operator takes over from a snapshot; the watermark is not part of it. */
  replace(mode: SnapshotMode): void {
    const watermarkMs = this.timers.currentWatermarkMs;
    const id = ++this.checkpointId;
    const snapshot = this.store.snapshot(id, mode);
    const slices: Uint8Array[] = [];
    for (let slice = snapshot.next(SLICE_BYTES); slice !== null; slice = snapshot.next(SLICE_BYTES)) slices.push(slice);
    this.files = [...(snapshot.baseId === null ? [] : this.files), { meta: snapshot.meta, bytes: Buffer.concat(slices) }];
    snapshot.release();
    this.store.confirm(id);
    this.timers.close();
    ({ operator: this.operator, store: this.store, timers: this.timers } = this.make());
    for (const file of this.files) this.store.restore({ ...file, offset: 0 }, KEY_GROUPS);
    this.store.endRestore();
    this.open();
    this.timers.currentWatermarkMs = watermarkMs;
  }

  close(): void {
    this.timers.close();
  }

  private make() {
    const { node } = this;
    const [first, second] = [0, 1].map((index) => this.inputType(index));
    const store = heapBackend.open({ keyGroups: KEY_GROUPS, keyType: node.keys[0]?.type ?? null, freezeValues: false });
    const timers = new HeapTimerService(store, node.keys[0]?.type ?? null);
    store.attachTimers(timers);
    const operator = createOperator(node, node.spec as OperatorNodeSpec, {
      store,
      inputType: first ?? null,
      secondInputType: second ?? null,
      copyInput: structuredClone,
      autoWatermarkIntervalMs: 0,
      openSinkCommitter: () => () => null,
      openSinkWriter: () => () => {
        throw new Error('no sink');
      },
    });
    return { operator, store, timers };
  }

  private inputType(inputIndex: number) {
    const edge = this.graph.edges.find((each) => each.target === this.node.id && each.inputIndex === inputIndex);
    return this.graph.nodes.find(({ id }) => id === edge?.source)?.outputType ?? null;
  }

  private open(): void {
    const keep = (list: OutputRecord[]) => ({ collect: (value: unknown, timestampMs: number) => void list.push({ value, timestampMs }) });
    this.operator.link({ main: keep(this.output), side: () => keep(this.late) });
    this.timers.attach({ clock: systemPorts.clock, schedule: () => undefined });
    void this.operator.open({
      runtime: { counter: () => ({ inc: () => undefined }) } as unknown as RuntimeContext,
      status: { full: false },
      post: (action) => action(),
      schedule: () => undefined,
      emitEvent: () => undefined,
      clock: systemPorts.clock,
      timers: this.timers,
      hasFinalCheckpoint: false,
    });
  }
}
