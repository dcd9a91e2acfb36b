/** The `rocksdb` backend against the contract, with memory for next to no rows: nearly every key is read from a file and goes back. */
import test from 'ava';
import { testStateBackend } from '../conformance/state-store.ts';
import { lsmStores } from './lsm-stores.ts';

testStateBackend(test, lsmStores('next to nothing in memory', 16 * 1024));
