/**
 * Namespace → slot: small numbers for the namespaces that many keys share, so that a state finds the column
 * of a window by an array access. The slot of the selected namespace is looked up once per change of namespace.
 */
import { VOID_NAMESPACE, type Namespace } from './namespace.ts';
import { GOLDEN, NO_ROW, RowIndex, spreadOfNumber, VACANT } from './row-index.ts';

/** No column has a value for the namespace. */
export const NO_SLOT = NO_ROW;
const UNRESOLVED = -2;

function spreadOf(namespace: Namespace): number {
  return Math.imul(spreadOfNumber(namespace.startMs) ^ (spreadOfNumber(namespace.endMs) >>> 1), GOLDEN);
}

class SlotIndex extends RowIndex {
  readonly namespaces: Namespace[] = [];

  find(namespace: Namespace): number {
    const spread = spreadOf(namespace);
    const slot = this.probe(this.buckets, this.shift, spread, namespace);
    if (slot !== NO_SLOT || this.retiring === null) return slot;
    return this.probe(this.retiring, this.shift + 1, spread, namespace);
  }

  add(namespace: Namespace, slot: number): void {
    this.namespaces[slot] = { startMs: namespace.startMs, endMs: namespace.endMs };
    this.addRow(slot);
  }

  remove(slot: number): void {
    this.removeRow(slot);
  }

  protected override spreadAt(slot: number): number {
    return spreadOf(this.namespaces[slot] as Namespace);
  }

  private probe(buckets: Int32Array, shift: number, spread: number, { startMs, endMs }: Namespace): number {
    const mask = buckets.length - 1;
    const tag = spread << (32 - shift);
    for (let bucket = spread >>> shift; ; bucket = (bucket + 1) & mask) {
      const entry = buckets[bucket] as number;
      if (entry === VACANT) return NO_SLOT;
      const slot = (entry ^ tag) - 1;
      if (slot >>> 0 > mask >>> 1) continue;
      const candidate = this.namespaces[slot] as Namespace;
      if (candidate.startMs === startMs && candidate.endMs === endMs) return slot;
    }
  }
}

/** The selected namespace, and the slots of those with values. */
export class NamespaceSlots {
  selected: Namespace = VOID_NAMESPACE;
  private selectedSlot = UNRESOLVED;
  private readonly index = new SlotIndex();
  private slotCount = 0;
  private readonly freeSlots: number[] = [];

  select(namespace: Namespace): void {
    const { selected } = this;
    if (namespace === selected) return;
    this.selected = namespace;
    if (namespace.startMs !== selected.startMs || namespace.endMs !== selected.endMs) this.selectedSlot = UNRESOLVED;
  }

  /** The slot of the selected namespace, or `NO_SLOT`. */
  slot(): number {
    return this.selectedSlot === UNRESOLVED ? (this.selectedSlot = this.index.find(this.selected)) : this.selectedSlot;
  }

  slotForWriting(): number {
    const slot = this.slot();
    return slot === NO_SLOT ? this.add() : slot;
  }

  namespaceAt(slot: number): Namespace {
    return this.index.namespaces[slot] as Namespace;
  }

  /** No state has a value for the namespace any more. */
  release(slot: number): void {
    this.index.remove(slot);
    this.freeSlots.push(slot);
    if (slot === this.selectedSlot) this.selectedSlot = NO_SLOT;
  }

  private add(): number {
    const slot = this.freeSlots.pop() ?? this.slotCount++;
    this.index.add(this.selected, slot);
    return (this.selectedSlot = slot);
  }
}
