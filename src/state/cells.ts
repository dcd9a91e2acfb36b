/**
 * Where the values of one state lie. Three layouts, chosen when a state is declared:
 *
 *     plain    one column, by row                          ValueColumn
 *     shared   a column for each live namespace, by row    SharedCells: a window's end empties one column
 *     own      by row, a chain of (namespace, value)       OwnCells: a session costs one small object
 *
 * In all of them a record finds its row once, by key: twelve sliding windows are twelve array accesses.
 */
import type { ValueState } from '../graph/functions.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Ownership } from './keyed-state-store.ts';
import type { Namespace } from './namespace.ts';

/** Gets the values of a row, each with its namespace. */
export type CellVisitor = (namespace: Namespace, value: unknown) => void;

/** The values of one state. As a value state: that of the selected key and namespace. */
export interface Cells extends ValueState<unknown> {
  /** Values over all rows and namespaces. */
  readonly valueCount: number;
  /** Gives cells that were made before their declaration their type. */
  declare(type: TypeDescriptor<unknown>, ownership: Ownership): void;
  /** `get` by one who only looks. */
  peek(): unknown;
  /** `set` to a value that nobody else holds. */
  put(value: unknown): void;
  visitRow(row: number, visit: CellVisitor): void;
  hasRow(row: number): boolean;
  /** Clears all values of a row. */
  clearRow(row: number): void;
}
