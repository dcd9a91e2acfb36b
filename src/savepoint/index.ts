/** `drey/state`: the state of jobs, read, transformed and written outside of them. */
export { SavepointReader } from './savepoint-reader.ts';
export type { OperatorName, ReadOptions } from './savepoint-reader.ts';
export type { KeyedEntry, KeyedStateInfo, OperatorReader } from './operator-reader.ts';
export { SavepointWriter } from './savepoint-writer.ts';
export type { KeyedDeclaration, KeyedRow } from './keyed-groups.ts';
export type { KeyTimers } from './group-timers.ts';
export type { BroadcastContents, ListContents, NewKeyedState, OperatorStateContents } from './operator-changes.ts';
