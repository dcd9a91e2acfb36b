/**
 * The windows in flight of one key, where windows merge (sessions). No two of them overlap or touch.
 *
 *     in flight  [0 ──────── 80)      [100 ─ 150)          a record adds [70, 110): one window, [0, 150)
 *     state of     [0 ─ 50)             [100 ─ 150)        its contents stay where those of one of them were
 *
 * Contents lie under the window that was there first (the state window), so that growing moves nothing: only when two
 * windows that both have contents become one do the contents of one move to the other.
 *
 * A set is plain numbers, four for each window, so that it can be kept as a value state: start, end, start and end of the
 * state window. Which of several state windows is kept, and in which order merged windows are cleared, shows in the order
 * of results; Flink iterates over a `HashSet<TimeWindow>` there, and so does this in effect (`inHashOrder`).
 *
 * Unlike Flink: a record whose window equals one in flight leaves that window's contents where they are. Flink takes the
 * window for a new one and loses contents that lie elsewhere (possible with dynamic gaps only).
 *
 * Source: Flink `MergingWindowSet`, `TimeWindow.mergeWindows`, `MathUtils.longToIntWithBitMixing`.
 */
import { assert } from '../base/assert.ts';
import type { TimeWindow } from '../graph/windows.ts';

/** `[startMs, endMs, startMs of state, endMs of state, …]`, changed in place. */
export type WindowSet = number[];

const NUMBERS_PER_WINDOW = 4;
const NOWHERE = -1;

/** What adding a window came to. */
export interface Addition {
  /** In flight now; the record belongs to it. */
  readonly window: TimeWindow;
  readonly stateWindow: TimeWindow;
  /** In flight no more: `window` took their place. Empty when nothing merged. */
  readonly mergedWindows: readonly TimeWindow[];
  /** State windows whose contents belong to `stateWindow` now. */
  readonly mergedStateWindows: readonly TimeWindow[];
}

const NONE: readonly TimeWindow[] = [];

interface InFlight {
  readonly window: TimeWindow;
  readonly stateWindow: TimeWindow;
}

/** Adds a record's window to the set. Mostly one window grows, or stays as it is: that makes no list. */
export function addWindow(set: WindowSet, added: TimeWindow): Addition {
  const { startMs, endMs } = added;
  let touched = NOWHERE;
  for (let at = 0; at < set.length; at += NUMBERS_PER_WINDOW) {
    if ((set[at] as number) > endMs || (set[at + 1] as number) < startMs) continue;
    if (touched !== NOWHERE) return merge(set, added);
    touched = at;
  }
  if (touched !== NOWHERE) return grow(set, touched, added);
  set.push(startMs, endMs, startMs, endMs);
  return { window: added, stateWindow: added, mergedWindows: NONE, mergedStateWindows: NONE };
}

/** The state window of a window in flight; null when it is not in flight. */
export function stateWindowOf(set: WindowSet, window: TimeWindow): TimeWindow | null {
  const at = positionOf(set, window);
  return at < 0 ? null : { startMs: set[at + 2] as number, endMs: set[at + 3] as number };
}

/** Takes a window out of the set. */
export function retireWindow(set: WindowSet, window: TimeWindow): void {
  const at = positionOf(set, window);
  assert(at >= 0, 'a window that retires is in flight');
  set.splice(at, NUMBERS_PER_WINDOW);
}

/** One window in flight takes the added one up. */
function grow(set: WindowSet, at: number, added: TimeWindow): Addition {
  const [startMs, endMs] = [set[at] as number, set[at + 1] as number];
  const stateWindow = { startMs: set[at + 2] as number, endMs: set[at + 3] as number };
  const window = { startMs: Math.min(startMs, added.startMs), endMs: Math.max(endMs, added.endMs) };
  const isGrown = window.startMs !== startMs || window.endMs !== endMs;
  set[at] = window.startMs;
  set[at + 1] = window.endMs;
  return { window, stateWindow, mergedWindows: isGrown ? [{ startMs, endMs }] : NONE, mergedStateWindows: NONE };
}

/** The added window connects several. */
function merge(set: WindowSet, added: TimeWindow): Addition {
  const touched = inFlight(set).filter(({ window }) => window.startMs <= added.endMs && window.endMs >= added.startMs);
  const window = {
    startMs: Math.min(added.startMs, ...touched.map((each) => each.window.startMs)),
    endMs: Math.max(added.endMs, ...touched.map((each) => each.window.endMs)),
  };
  const merged = inHashOrder(touched);
  const [{ stateWindow }, ...others] = merged as [InFlight, ...InFlight[]];
  for (const each of merged) retireWindow(set, each.window);
  set.push(window.startMs, window.endMs, stateWindow.startMs, stateWindow.endMs);
  const mergedWindows = merged.map((each) => each.window);
  return { window, stateWindow, mergedWindows, mergedStateWindows: others.map((each) => each.stateWindow) };
}

function inFlight(set: WindowSet): InFlight[] {
  return Array.from({ length: set.length / NUMBERS_PER_WINDOW }, (_, i) => {
    const [startMs, endMs, stateStartMs, stateEndMs] = set.slice(i * NUMBERS_PER_WINDOW) as [number, number, number, number];
    return { window: { startMs, endMs }, stateWindow: { startMs: stateStartMs, endMs: stateEndMs } };
  });
}

function positionOf(set: WindowSet, window: TimeWindow): number {
  for (let at = 0; at < set.length; at += NUMBERS_PER_WINDOW) {
    if (set[at] === window.startMs && set[at + 1] === window.endMs) return at;
  }
  return -1;
}

const HASH_CAPACITY_MIN = 16;
const HASH_LOAD_MAX = 0.75;

/** The order of a Java hash set into which the windows were put by ascending start, together with the added one. */
function inHashOrder(touched: readonly InFlight[]): readonly InFlight[] {
  let capacity = HASH_CAPACITY_MIN;
  while (touched.length + 1 > capacity * HASH_LOAD_MAX) capacity *= 2;
  const byStart = touched.toSorted((a, b) => a.window.startMs - b.window.startMs);
  const placed = byStart.map((each) => ({ each, bucket: bucketOf(each.window, capacity) }));
  return placed.toSorted((a, b) => a.bucket - b.bucket).map(({ each }) => each);
}

function bucketOf({ startMs, endMs }: TimeWindow, capacity: number): number {
  let bits = BigInt.asUintN(64, BigInt(startMs) + BigInt(endMs));
  bits = BigInt.asUintN(64, (bits ^ (bits >> 30n)) * 0xbf58476d1ce4e5b9n);
  bits = BigInt.asUintN(64, (bits ^ (bits >> 27n)) * 0x94d049bb133111ebn);
  const hash = Number(BigInt.asIntN(32, bits ^ (bits >> 31n)));
  return (hash ^ (hash >>> 16)) & (capacity - 1);
}
