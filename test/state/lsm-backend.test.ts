/** The `rocksdb` backend against the contract, with memory for all rows. */
import test from 'ava';
import { testStateBackend } from '../conformance/state-store.ts';
import { lsmStores } from './lsm-stores.ts';

testStateBackend(test, lsmStores('all in memory', 64 * 1024 * 1024));
