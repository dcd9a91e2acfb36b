/**
 * Cells for namespaces that mostly belong to one key: each row has a chain of its namespaces, newest first.
 * A key has few live sessions, so the chain is short.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells, CellVisitor } from './cells.ts';
import type { Ownership } from './keyed-state-store.ts';
import type { Namespace } from './namespace.ts';
import type { NamespaceSlots } from './namespace-slots.ts';
import { NO_ROW } from './row-index.ts';
import { mayChange, storeValueOf, type StoreValue, type StoringOptions } from './stored-value.ts';
import type { RowSelector } from './value-column.ts';

interface Link {
  readonly namespace: Namespace;
  value: unknown;
  next: Link | null;
}

export class OwnCells implements Cells {
  valueCount = 0;
  private readonly rows: RowSelector;
  private readonly slots: NamespaceSlots;
  private readonly options: StoringOptions;
  private stored: StoreValue;
  private mayChange: boolean;
  /** The first link by row. */
  private readonly chains: (Link | null)[] = [];

  constructor(rows: RowSelector & { readonly slots: NamespaceSlots }, type: TypeDescriptor<unknown> | null, options: StoringOptions) {
    this.rows = rows;
    this.slots = rows.slots;
    this.options = options;
    this.stored = storeValueOf(type, options);
    this.mayChange = mayChange(type, options);
  }

  declare(type: TypeDescriptor<unknown>, ownership: Ownership): void {
    this.stored = storeValueOf(type, { ...this.options, ownership });
    this.mayChange = mayChange(type, { ...this.options, ownership });
  }

  get(): unknown {
    const row = this.rows.row();
    const value = this.find(row)?.value;
    if (this.mayChange && typeof value === 'object') this.rows.touch(row);
    return value;
  }

  peek(): unknown {
    return this.find(this.rows.row())?.value;
  }

  set(value: unknown): void {
    if (value === undefined) return this.clear();
    this.write(this.stored(value));
  }

  put(value: unknown): void {
    this.write(this.options.freeze ? this.stored(value) : value);
  }

  private write(stored: unknown): void {
    const row = this.rows.rowForWriting();
    const link = this.find(row);
    if (link !== null) link.value = stored;
    else this.prepend(row, stored);
  }

  clear(): void {
    const row = this.rows.row();
    const link = this.find(row);
    if (link === null) return;
    this.rows.touch(row);
    this.remove(row, link);
    this.valueCount -= 1;
    this.rows.onCleared(row);
  }

  visitRow(row: number, visit: CellVisitor): void {
    for (let link = this.chains[row] ?? null; link !== null; link = link.next) visit(link.namespace, link.value);
  }

  hasRow(row: number): boolean {
    return (this.chains[row] ?? null) !== null;
  }

  clearRow(row: number): void {
    let gone = 0;
    for (let link = this.chains[row] ?? null; link !== null; link = link.next) gone += 1;
    if (gone === 0) return;
    this.rows.touch(row);
    this.chains[row] = null;
    this.valueCount -= gone;
    for (; gone > 0; gone--) this.rows.onCleared(row);
  }

  private find(row: number): Link | null {
    if (row === NO_ROW || row >= this.chains.length) return null;
    const { startMs, endMs } = this.slots.selected;
    let link = this.chains[row] as Link | null;
    while (link !== null && (link.namespace.endMs !== endMs || link.namespace.startMs !== startMs)) link = link.next;
    return link;
  }

  private prepend(row: number, value: unknown): void {
    while (this.chains.length <= row) this.chains.push(null);
    const { startMs, endMs } = this.slots.selected;
    this.chains[row] = { namespace: { startMs, endMs }, value, next: this.chains[row] as Link | null };
    this.valueCount += 1;
    this.rows.onFilled(row);
  }

  private remove(row: number, gone: Link): void {
    let link = this.chains[row] as Link;
    if (link === gone) {
      this.chains[row] = gone.next;
      return;
    }
    while (link.next !== gone) link = link.next as Link;
    link.next = gone.next;
  }
}
