/**
 * Cells for namespaces that many keys share: a column for each live namespace. A column whose namespace has
 * ended is empty and serves the next one, so windows that come and go allocate nothing.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells, CellVisitor } from './cells.ts';
import type { Ownership } from './keyed-state-store.ts';
import { NO_SLOT, type NamespaceSlots } from './namespace-slots.ts';
import type { StoringOptions } from './stored-value.ts';
import { ValueColumn, type RowSelector } from './value-column.ts';

/** What the cells use of their store. */
export interface SlotUsers {
  readonly slots: NamespaceSlots;
  /** A column has lost its last value: the slot is given back when no state uses it. */
  onColumnEmptied(slot: number): void;
}

export class SharedCells implements Cells {
  private readonly rows: RowSelector;
  private readonly store: SlotUsers;
  private readonly slots: NamespaceSlots;
  private type: TypeDescriptor<unknown> | null;
  private options: StoringOptions;
  /** By slot, without gaps. */
  private readonly columns: ValueColumn[] = [];

  constructor(rows: RowSelector & SlotUsers, type: TypeDescriptor<unknown> | null, options: StoringOptions) {
    this.rows = rows;
    this.store = rows;
    this.slots = rows.slots;
    this.type = type;
    this.options = options;
  }

  get valueCount(): number {
    return this.columns.reduce((count, column) => count + column.valueCount, 0);
  }

  declare(type: TypeDescriptor<unknown>, ownership: Ownership): void {
    this.type = type;
    this.options = { ...this.options, ownership };
    for (const column of this.columns) column.declare(type, ownership);
  }

  // The row comes first: finding it may bring values of namespaces that had none (state/lsm-rows.ts), and drive out others.

  get(): unknown {
    this.rows.row();
    const slot = this.slots.slot();
    return slot === NO_SLOT || slot >= this.columns.length ? undefined : (this.columns[slot] as ValueColumn).get();
  }

  peek(): unknown {
    this.rows.row();
    return this.columns[this.slots.slot()]?.peek();
  }

  set(value: unknown): void {
    if (value === undefined) return this.clear();
    this.columnForWriting().set(value);
  }

  put(value: unknown): void {
    this.columnForWriting().put(value);
  }

  clear(): void {
    this.rows.row();
    const slot = this.slots.slot();
    if (slot === NO_SLOT || slot >= this.columns.length) return;
    const column = this.columns[slot] as ValueColumn;
    if (column.valueCount === 0) return;
    column.clear();
    if (column.valueCount === 0) this.store.onColumnEmptied(slot);
  }

  visitRow(row: number, visit: CellVisitor): void {
    for (let slot = 0; slot < this.columns.length; slot++) {
      const value = (this.columns[slot] as ValueColumn).at(row);
      if (value !== undefined) visit(this.slots.namespaceAt(slot), value);
    }
  }

  hasRow(row: number): boolean {
    return this.columns.some((column) => column.has(row));
  }

  clearRow(row: number): void {
    this.columns.forEach((column, slot) => {
      if (!column.has(row)) return;
      column.clearAt(row);
      if (column.valueCount === 0) this.store.onColumnEmptied(slot);
    });
  }

  usesSlot(slot: number): boolean {
    return (this.columns[slot]?.valueCount ?? 0) > 0;
  }

  private columnForWriting(): ValueColumn {
    this.rows.row();
    const slot = this.slots.slotForWriting();
    if (slot >= this.columns.length) this.addColumns(slot);
    return this.columns[slot] as ValueColumn;
  }

  private addColumns(slot: number): void {
    while (this.columns.length <= slot) this.columns.push(new ValueColumn(this.rows, this.type, this.options));
  }
}
