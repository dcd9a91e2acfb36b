/** Operator state through its bytes: dealt out, united, copied, and refused where it does not fit. */
import test from 'ava';
import fc from 'fast-check';
import { ClusterError } from '../../src/protocol/errors.ts';
import { OperatorStates } from '../../src/state/operator-state.ts';
import type { FormerOperatorState } from '../../src/state/operator-state.ts';
import { t as types } from '../../src/types/t.ts';

function open(): OperatorStates {
  return new OperatorStates({ operatorName: 'reader', freezeValues: false });
}

function declare(states: OperatorStates) {
  return {
    offsets: states.list('offsets', types.float64),
    seen: states.list('seen', types.string, 'union'),
    rules: states.broadcast('rules', types.string, types.object({ limit: types.float64 })),
  };
}

function former(all: readonly OperatorStates[]): FormerOperatorState[] {
  return all.map((states, subtaskIndex) => ({ subtaskIndex, formerParallelism: all.length, bytes: states.snapshot() ?? new Uint8Array(0) }));
}

test('lists are dealt out, union lists reach everybody, broadcast state is there once, at any parallelism', (t) => {
  fc.assert(fc.property(fc.array(fc.array(fc.integer(), { maxLength: 5 }), { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 6 }), (lists, parallelism) => {
    const before = lists.map((elements) => {
      const states = open();
      const { offsets, seen, rules } = declare(states);
      offsets.update(elements);
      for (const element of elements) seen.add(`s${element}`);
      rules.set('a', { limit: 3 });
      return states;
    });
    const after = Array.from({ length: parallelism }, (_, subtaskIndex) => {
      const states = open();
      const handles = declare(states);
      const taken = parallelism === lists.length ? [former(before)[subtaskIndex] as FormerOperatorState] : former(before);
      states.restore(taken, { subtaskIndex, parallelism });
      t.deepEqual([...handles.rules.entries()], [['a', { limit: 3 }]]);
      if (parallelism !== lists.length) t.deepEqual(handles.seen.get(), lists.flat().map((element) => `s${element}`));
      return handles.offsets.get();
    });
    if (parallelism === lists.length) t.deepEqual(after, lists);
    else t.deepEqual(after, after.map((_, index) => lists.flat().filter((__, k) => k % parallelism === index)));
    return true;
  }), { numRuns: 60 });
});

test('nothing declared has no bytes; what is no longer declared is kept', (t) => {
  t.is(open().snapshot(), null);
  const states = open();
  declare(states).offsets.add(1);
  const restarted = open();
  restarted.restore(former([states]), { subtaskIndex: 0, parallelism: 1 });
  const again = open();
  const { offsets } = declare(again);
  again.restore(former([restarted]), { subtaskIndex: 0, parallelism: 1 });
  t.deepEqual(offsets.get(), [1]);
});

test('changed kinds and types are refused, added optional fields are taken over', (t) => {
  const states = open();
  declare(states).rules.set('a', { limit: 1 });
  const refuse = (declared: OperatorStates, message: RegExp): void => {
    const error = t.throws(() => declared.restore(former([states]), { subtaskIndex: 0, parallelism: 1 }), { instanceOf: ClusterError });
    t.is(error?.code, 'STATE_INCOMPATIBLE');
    t.regex(error?.message ?? '', message);
  };
  const list = open();
  list.list('rules', types.string);
  refuse(list, /operator 'reader', state 'rules': it was broadcast state and is now list state/);
  const text = open();
  text.broadcast('rules', types.string, types.object({ limit: types.string }));
  refuse(text, /operator 'reader', state 'rules': \$\.value\.limit was float64 and is now string/);
  const more = open();
  const rules = more.broadcast('rules', types.string, types.object({ limit: types.float64, note: types.option(types.string) }));
  more.restore(former([states]), { subtaskIndex: 0, parallelism: 1 });
  t.deepEqual(rules.get('a'), { limit: 1, note: undefined });
});

test('a value that cannot be written is named, and what was put in is a copy', (t) => {
  const states = open();
  const { rules } = declare(states);
  const rule = { limit: 1 };
  rules.set('a', rule);
  rule.limit = 2;
  t.deepEqual(rules.get('a'), { limit: 1 });
  rules.set('b', { limit: 'much' } as never);
  const error = t.throws(() => states.snapshot(), { instanceOf: ClusterError });
  t.is(error?.code, 'CHECKPOINT_FAILED');
  t.regex(error?.message ?? '', /state 'rules' cannot be written/);
});
