/**
 * One value state of a heap store: its value for each row. While all values are numbers they lie unboxed
 * in a Float64Array, where NaN means "no value" (true NaNs are remembered beside it); the first other
 * value turns the column into an array of references, where undefined means "no value".
 *
 * The column is also the handle that user functions hold: `get` and `set` go straight to the row.
 */
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Cells, CellVisitor } from './cells.ts';
import type { Ownership } from './keyed-state-store.ts';
import { VOID_NAMESPACE } from './namespace.ts';
import { grownFloats, NO_ROW } from './row-index.ts';
import { mayChange, storeValueOf, type StoreValue, type StoringOptions } from './stored-value.ts';

/** The store, as its columns see it. */
export interface RowSelector {
  /** Row of the selected key, or `NO_ROW`. */
  row(): number;
  /** Row of the selected key, made if there is none, and touched. */
  rowForWriting(): number;
  /** Before the values of a row change, or something is read that may be changed in place. Free between snapshots. */
  touch(row: number): void;
  /** A row gained a value. */
  onFilled(row: number): void;
  /** A row lost a value: it is given back with its last. */
  onCleared(row: number): void;
}

const ROWS_INITIAL = 32;
const NUMBER_KINDS: ReadonlySet<unknown> = new Set(['int32', 'float64', 'timestamp']);

export class ValueColumn implements Cells {
  /** Rows with a value. */
  valueCount = 0;
  private readonly rows: RowSelector;
  private readonly options: StoringOptions;
  private stored: StoreValue;
  /** What is read may be changed in place: reading counts as writing. */
  private mayChange: boolean;
  private numbers: Float64Array | null;
  private values: unknown[] = [];
  /** Rows whose value is the number NaN. */
  private readonly nans = new Set<number>();

  constructor(rows: RowSelector, type: TypeDescriptor<unknown> | null, options: StoringOptions) {
    this.rows = rows;
    this.options = options;
    this.stored = storeValueOf(type, options);
    this.mayChange = mayChange(type, options);
    const mayBeNumbers = type === null || NUMBER_KINDS.has(type.schema['type']);
    this.numbers = mayBeNumbers ? new Float64Array(ROWS_INITIAL).fill(NaN) : null;
  }

  /** Gives a column that a restore made before its declaration its type. */
  declare(type: TypeDescriptor<unknown>, ownership: Ownership): void {
    this.stored = storeValueOf(type, { ...this.options, ownership });
    this.mayChange = mayChange(type, { ...this.options, ownership });
  }

  get(): unknown {
    const row = this.rows.row();
    if (row === NO_ROW) return undefined;
    if (this.numbers !== null) return this.numberAt(row);
    if (this.mayChange) this.rows.touch(row);
    return this.values[row];
  }

  peek(): unknown {
    const row = this.rows.row();
    return row === NO_ROW ? undefined : this.at(row);
  }

  set(value: unknown): void {
    if (value === undefined) return this.clear();
    const stored = typeof value === 'number' && this.numbers !== null ? value : this.stored(value);
    this.write(this.rows.rowForWriting(), stored);
  }

  clear(): void {
    const row = this.rows.row();
    if (row !== NO_ROW && this.has(row)) this.clearAt(row);
  }

  put(value: unknown): void {
    const stored = this.options.freeze && typeof value !== 'number' ? this.stored(value) : value;
    this.write(this.rows.rowForWriting(), stored);
  }

  /** Finding the row may have brought other values of the column, so what it holds is looked at only now. */
  private write(row: number, stored: unknown): void {
    if (this.numbers !== null && typeof stored === 'number') this.setNumber(row, stored);
    else this.setReference(row, stored);
  }

  /** The row has a value. */
  clearAt(row: number): void {
    this.rows.touch(row);
    this.valueCount -= 1;
    if (this.numbers === null) {
      this.values[row] = undefined;
    } else {
      this.numbers[row] = NaN;
      if (this.nans.size > 0) this.nans.delete(row);
    }
    this.rows.onCleared(row);
  }

  /** The value at `row`, or undefined. */
  at(row: number): unknown {
    return this.numbers === null ? this.values[row] : this.numberAt(row);
  }

  private numberAt(row: number): number | undefined {
    const numbers = this.numbers as Float64Array;
    if (row >= numbers.length) return undefined;
    const value = numbers[row] as number;
    return value === value ? value : this.nans.size > 0 && this.nans.has(row) ? NaN : undefined;
  }

  has(row: number): boolean {
    return this.at(row) !== undefined;
  }

  visitRow(row: number, visit: CellVisitor): void {
    const value = this.at(row);
    if (value !== undefined) visit(VOID_NAMESPACE, value);
  }

  /** Replaces the value of a row by what `keep` leaves of it. */
  sweepRow(row: number, keep: (value: unknown) => unknown): void {
    const value = this.at(row);
    const kept = value === undefined ? undefined : keep(value);
    if (kept === value) return;
    if (kept === undefined) return this.clearAt(row);
    this.rows.touch(row);
    this.setReference(row, kept);
  }

  hasRow(row: number): boolean {
    return this.has(row);
  }

  clearRow(row: number): void {
    if (this.has(row)) this.clearAt(row);
  }

  private setNumber(row: number, value: number): void {
    while (row >= (this.numbers as Float64Array).length) this.growNumbers();
    const numbers = this.numbers as Float64Array;
    const former = numbers[row] as number;
    if (former !== former || value !== value) this.setAcrossNaN(row, value);
    numbers[row] = value;
  }

  /** The row had no value or NaN, or is about to have NaN. */
  private setAcrossNaN(row: number, value: number): void {
    if (!this.has(row)) this.onFilled(row);
    if (Number.isNaN(value)) this.nans.add(row);
    else if (this.nans.size > 0) this.nans.delete(row);
  }

  private setReference(row: number, value: unknown): void {
    if (this.numbers !== null) this.becomeReferences(this.numbers);
    // Rows are used from the lowest up, so filling to the row keeps the array dense.
    while (this.values.length <= row) this.values.push(undefined);
    if (this.values[row] === undefined) this.onFilled(row);
    this.values[row] = value;
  }

  private onFilled(row: number): void {
    this.valueCount += 1;
    this.rows.onFilled(row);
  }

  private growNumbers(): void {
    const former = this.numbers as Float64Array;
    this.numbers = grownFloats(former).fill(NaN, former.length);
  }

  /** Once in a column's life, mostly while it is empty. */
  private becomeReferences(numbers: Float64Array): void {
    this.values = Array.from(numbers, (_, row) => this.at(row));
    this.numbers = null;
    this.nans.clear();
  }
}
