/** The set of merging windows, in Flink's cases and against all intervals at once. */
import test from 'ava';
import fc from 'fast-check';
import type { TimeWindow } from '../../src/graph/windows.ts';
import { addWindow, retireWindow, stateWindowOf, type WindowSet } from '../../src/operators/merging-windows.ts';

const window = (startMs: number, endMs: number): TimeWindow => ({ startMs, endMs });

test('a window that meets no other is in flight with its own state', (t) => {
  const set: WindowSet = [];
  t.deepEqual(addWindow(set, window(0, 3)), { window: window(0, 3), stateWindow: window(0, 3), mergedWindows: [], mergedStateWindows: [] });
  t.deepEqual(addWindow(set, window(5, 8)).window, window(5, 8));
  t.deepEqual(stateWindowOf(set, window(0, 3)), window(0, 3));
  t.is(stateWindowOf(set, window(0, 8)), null);
});

test('windows that touch merge; the state stays with the window that was there', (t) => {
  const set: WindowSet = [];
  addWindow(set, window(0, 3));
  const { window: merged, stateWindow, mergedWindows, mergedStateWindows } = addWindow(set, window(3, 6));
  t.deepEqual([merged, stateWindow, mergedWindows, mergedStateWindows], [window(0, 6), window(0, 3), [window(0, 3)], []]);
  t.is(stateWindowOf(set, window(0, 3)), null);
});

test('a window inside of one in flight changes nothing', (t) => {
  const set: WindowSet = [];
  addWindow(set, window(0, 3));
  addWindow(set, window(2, 6));
  const before = [...set];
  t.deepEqual(addWindow(set, window(1, 4)), { window: window(0, 6), stateWindow: window(0, 3), mergedWindows: [], mergedStateWindows: [] });
  t.deepEqual(addWindow(set, window(0, 6)).stateWindow, window(0, 3), 'a window equal to one in flight keeps its contents');
  t.deepEqual(set, before);
});

test('a window that bridges others makes one of them, and the contents of all but one move', (t) => {
  const set: WindowSet = [];
  for (const each of [window(0, 3), window(5, 8), window(10, 13), window(20, 23)]) addWindow(set, each);
  const { window: merged, stateWindow, mergedWindows, mergedStateWindows } = addWindow(set, window(2, 11));
  t.deepEqual(merged, window(0, 13));
  t.is(mergedWindows.length, 3);
  t.is(mergedStateWindows.length, 2);
  t.deepEqual([stateWindow, ...mergedStateWindows], mergedWindows);
  t.deepEqual(stateWindowOf(set, window(20, 23)), window(20, 23));
});

test('a retired window is gone', (t) => {
  const set: WindowSet = [];
  addWindow(set, window(0, 3));
  addWindow(set, window(5, 8));
  retireWindow(set, window(0, 3));
  t.is(stateWindowOf(set, window(0, 3)), null);
  t.deepEqual(addWindow(set, window(0, 3)).mergedWindows, []);
});

test('whatever the order, the windows in flight are the unions of all windows, and every state window is kept once', (t) => {
  const spans = fc.array(fc.tuple(fc.integer({ min: -60, max: 60 }), fc.integer({ min: 1, max: 12 })), { maxLength: 40 });
  fc.assert(fc.property(spans, (list) => {
    const set: WindowSet = [];
    const contents = new Map<string, number>();
    const name = ({ startMs, endMs }: TimeWindow): string => `${startMs},${endMs}`;
    for (const [startMs, length] of list) {
      const { stateWindow, mergedStateWindows } = addWindow(set, window(startMs, startMs + length));
      const moved = mergedStateWindows.map((each) => contents.get(name(each)) ?? 0);
      for (const each of mergedStateWindows) contents.delete(name(each));
      contents.set(name(stateWindow), moved.reduce((a, b) => a + b, (contents.get(name(stateWindow)) ?? 0) + 1));
    }
    const unions: [start: number, end: number, count: number][] = [];
    for (const [startMs, length] of list.toSorted((a, b) => a[0] - b[0])) {
      const last = unions.at(-1);
      if (last !== undefined && startMs <= last[1]) {
        last[1] = Math.max(last[1], startMs + length);
        last[2] += 1;
      } else {
        unions.push([startMs, startMs + length, 1]);
      }
    }
    const found = unions.map(([startMs, endMs]) => contents.get(name(stateWindowOf(set, window(startMs, endMs)) ?? window(0, 0))));
    t.deepEqual(found, unions.map(([, , count]) => count));
    t.is(set.length, 4 * unions.length);
    t.is(contents.size, unions.length);
  }));
});
