/**
 * Enumerator cores. Random histories of requests, failures and listings run against a model of who holds
 * what; whatever happens, every split ends with exactly one reader and nobody waits for ever.
 */
import test from 'ava';
import fc from 'fast-check';
import { enumeratorOf, type EnumeratorCore, type EnumeratorEffect, type EnumeratorEvent } from '../../src/jobmaster/split-enumerators.core.ts';
import { fileSplits, sequenceSplits } from '../../src/graph/splits.ts';
import type { JsonValue } from '../../src/protocol/json.ts';

const FILES = [{ path: '/in/b', sizeBytes: 250 }, { path: '/in/a', sizeBytes: 100 }, { path: '/in/empty', sizeBytes: 0 }];
const ALL_IDS = ['/in/a:0+100', '/in/b:0+100', '/in/b:100+100', '/in/b:200+50'];

function files(discoveryIntervalMs: number | null = null, restored: JsonValue | null = null): EnumeratorCore {
  const data = { path: '/in', splitSizeBytes: 100, discoveryIntervalMs, lineSizeBytesMax: 1000 };
  return enumeratorOf({ kind: 'source.files', data }, 2, restored);
}

function assignedIds(effects: readonly EnumeratorEffect[]): string[] {
  return effects.flatMap((effect) => (effect.kind === 'assign' ? effect.splits.map(({ id }) => id) : []));
}

test('a sequence is shared without gap or overlap', (t) => {
  fc.assert(fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), fc.integer({ min: 1, max: 9 }), (a, b, parallelism) => {
    const [from, to] = a < b ? [a, b] : [b, a];
    const splits = sequenceSplits(from, to, parallelism);
    t.is(splits[0]?.next, from);
    t.is(splits.at(-1)?.to, to);
    for (let i = 1; i < splits.length; i++) t.is(splits[i]?.next, (splits[i - 1]?.to ?? 0) + 1);
    const sizes = splits.map((split) => BigInt(split.to) - BigInt(split.next));
    t.true(sizes.every((size) => sizes[0] === size || (sizes[0] ?? 0n) - 1n === size));
  }));
});

test('a file is cut without gap or overlap, an empty one not at all', (t) => {
  t.deepEqual(fileSplits({ path: '/a', sizeBytes: 250 }, 100).map((split) => [split.startBytes, split.endBytes]), [[0, 100], [100, 200], [200, 250]]);
  t.deepEqual(fileSplits({ path: '/a', sizeBytes: 0 }, 100), []);
});

for (const [kind, data] of [
  ['source.sequence', { from: 1, to: 3 }], ['source.elements', { count: 3 }],
  ['source.datagen', { count: 1, perSecond: null }], ['source.socket', { host: 'h', port: 1, delimiter: '\n', retriesMax: 0 }],
] as const) {
  test(`${kind}: a reader gets its split and the end when it registers, once, and again after it failed`, (t) => {
    const core = enumeratorOf({ kind, data }, 2, null);
    t.deepEqual(core.step({ kind: 'start' }), []);
    const first = core.step({ kind: 'readerRegistered', subtaskIndex: 0 });
    t.deepEqual(first.map((effect) => effect.kind), ['assign', 'noMoreSplits']);
    t.deepEqual(core.step({ kind: 'readerRegistered', subtaskIndex: 0 }).map((effect) => effect.kind), ['noMoreSplits']);
    core.step({ kind: 'subtaskFailed', subtaskIndex: 0 });
    t.deepEqual(core.step({ kind: 'readerRegistered', subtaskIndex: 0 }), first);
    const restored = enumeratorOf({ kind, data }, 2, core.snapshot());
    t.deepEqual(assignedIds(restored.step({ kind: 'readerRegistered', subtaskIndex: 0 })), []);
  });
}

test('readers that ask before the listing wait for it, and files go out in the order of their paths', (t) => {
  const core = files();
  t.deepEqual(core.step({ kind: 'start' }), [{ kind: 'listFiles', path: '/in' }]);
  t.deepEqual(core.step({ kind: 'splitRequest', subtaskIndex: 1 }), []);
  t.deepEqual(assignedIds(core.step({ kind: 'filesListed', files: FILES })), ALL_IDS.slice(0, 1));
  const rest = [0, 0, 1].flatMap((subtaskIndex) => assignedIds(core.step({ kind: 'splitRequest', subtaskIndex })));
  t.deepEqual(rest, ALL_IDS.slice(1));
  t.deepEqual(core.step({ kind: 'splitRequest', subtaskIndex: 0 }), [{ kind: 'noMoreSplits', subtaskIndex: 0 }]);
});

test('a continuous source lists again, reads new files only, and never ends', (t) => {
  const core = files(500);
  core.step({ kind: 'start' });
  const first = core.step({ kind: 'filesListed', files: FILES.slice(1, 2) });
  t.deepEqual(first, [{ kind: 'startDiscoveryTimer', delayMs: 500 }]);
  t.deepEqual(assignedIds(core.step({ kind: 'splitRequest', subtaskIndex: 0 })), ['/in/a:0+100']);
  t.deepEqual(core.step({ kind: 'splitRequest', subtaskIndex: 0 }), []);
  t.deepEqual(core.step({ kind: 'discoveryDue' }), [{ kind: 'listFiles', path: '/in' }]);
  t.deepEqual(assignedIds(core.step({ kind: 'filesListed', files: FILES })), ['/in/b:0+100']);
});

test('a listing that failed fails the job', (t) => {
  const error = { code: 'FILE_NOT_FOUND', className: 'ClusterError', message: 'no /in', stack: '' } as const;
  t.deepEqual(files().step({ kind: 'listingFailed', error }), [{ kind: 'fail', error }]);
});

test('after a takeover, reported splits are assigned, whether the listing is old or new', (t) => {
  const reported = [{ subtaskIndex: 1, splits: [{ id: '/in/a:0+100', finished: true }, { id: '/in/b:100+100', finished: false }] }];
  const before = files();
  before.step({ kind: 'start' });
  before.step({ kind: 'filesListed', files: FILES });
  const restored = files(null, before.snapshot());
  t.deepEqual(restored.step({ kind: 'start' }), []);
  for (const core of [restored, files()]) {
    core.step({ kind: 'reconcile', reported });
    if (core !== restored) core.step({ kind: 'filesListed', files: FILES });
    const rest = [0, 0].flatMap((subtaskIndex) => assignedIds(core.step({ kind: 'splitRequest', subtaskIndex })));
    t.deepEqual(rest, ['/in/b:0+100', '/in/b:200+50']);
    t.deepEqual(assignedIds(core.step({ kind: 'subtaskFailed', subtaskIndex: 1 })), []);
    t.deepEqual(assignedIds(core.step({ kind: 'splitRequest', subtaskIndex: 0 })), ['/in/a:0+100']);
  }
});

const history = fc.array(fc.oneof(
  fc.record({ kind: fc.constant('splitRequest' as const), subtaskIndex: fc.nat(2) }),
  fc.record({ kind: fc.constant('subtaskFailed' as const), subtaskIndex: fc.nat(2) }),
  fc.constant({ kind: 'filesListed' as const, files: FILES }),
), { maxLength: 30 });

test('whatever fails and in whatever order, each split is with one reader in the end', (t) => {
  fc.assert(fc.property(history, (events) => {
    const core = files();
    const held = new Map<number, string[]>();
    const apply = (event: EnumeratorEvent): EnumeratorEffect[] => {
      if (event.kind === 'subtaskFailed') held.delete(event.subtaskIndex);
      const effects = core.step(event);
      for (const effect of effects) {
        if (effect.kind === 'assign') held.set(effect.subtaskIndex, [...(held.get(effect.subtaskIndex) ?? []), ...assignedIds([effect])]);
      }
      return effects;
    };
    for (const event of events) apply(event);
    apply({ kind: 'filesListed', files: FILES });
    for (let ended = false, asked = 0; !ended; asked++) {
      t.true(asked <= ALL_IDS.length, 'a reader that asks comes to an end');
      ended = apply({ kind: 'splitRequest', subtaskIndex: 0 }).some((effect) => effect.kind === 'noMoreSplits' && effect.subtaskIndex === 0);
    }
    t.deepEqual([...held.values()].flat().toSorted(), ALL_IDS);
  }));
});
