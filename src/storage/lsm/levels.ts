/**
 * The files of a tree, by level. Files of level 0 are whole memtables, newest first, whose places overlap; in each deeper level
 * files follow each other without overlap, and a level may have ten times what the one above has.
 *
 *     0   [ newest ][ … ][ oldest ]     four: all of them are merged with what they overlap in level 1
 *     1   [a‥f][g‥m][n‥z]               too much: one file is merged with what it overlaps in level 2
 *     2   [a‥b][c‥d]…
 */
import { present } from '../../base/assert.ts';
import { CursorOfCursors, type EntrySource } from './entry.ts';
import type { SortedFile } from './sorted-file.ts';

/** Files of level 0 that call for a merge. */
const OVERLAPPING_MAX = 4;
const LEVEL_GROWTH = 10;

/** Files that are to become files of `level`; newest first. */
export interface MergePlan {
  readonly level: number;
  readonly newer: readonly SortedFile[];
  readonly older: readonly SortedFile[];
  /** Nothing older lies below: keys that are gone need not be remembered. */
  readonly isLast: boolean;
}

/** Newest first. */
export type Levels = readonly (readonly SortedFile[])[];

/** The merge that is most due, or null. `firstLevelSizeBytes`: what level 1 may have. `cursors`: the last place merged, by level. */
export function nextMerge(levels: Levels, firstLevelSizeBytes: number, cursors: number[]): MergePlan | null {
  const overlapping = levels[0] ?? [];
  if (overlapping.length >= OVERLAPPING_MAX) return planOf(levels, 0, overlapping);
  let limit = firstLevelSizeBytes;
  for (let level = 1; level < levels.length; level++, limit *= LEVEL_GROWTH) {
    const files = levels[level] ?? [];
    if (sizeOf(files) <= limit) continue;
    const next = files.find(({ firstPlace }) => firstPlace > (cursors[level] ?? -1)) ?? present(files[0], 'a level with bytes has files');
    cursors[level] = next.firstPlace;
    return planOf(levels, level, [next]);
  }
  return null;
}

/** The levels after a merge. */
export function merged(levels: Levels, { level, newer, older }: MergePlan, outputs: readonly SortedFile[]): Levels {
  const gone = new Set([...newer, ...older]);
  const left = levels.map((files) => files.filter((file) => !gone.has(file)));
  while (left.length <= level) left.push([]);
  left[level] = [...(left[level] ?? []), ...outputs].toSorted((a, b) => a.firstPlace - b.firstPlace);
  return left;
}

/** The file of a level that may have `place`; -1: none. */
export function fileFor(files: readonly SortedFile[], place: number): number {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((files[middle] as SortedFile).lastPlace < place) low = middle + 1;
    else high = middle;
  }
  return low < files.length ? low : -1;
}

function planOf(levels: Levels, from: number, newer: readonly SortedFile[]): MergePlan {
  const first = Math.min(...newer.map(({ firstPlace }) => firstPlace));
  const last = Math.max(...newer.map(({ lastPlace }) => lastPlace));
  const older = (levels[from + 1] ?? []).filter((file) => file.lastPlace >= first && file.firstPlace <= last);
  return { level: from + 1, newer, older, isLast: levels.slice(from + 2).every(({ length }) => length === 0) };
}

function sizeOf(files: readonly SortedFile[]): number {
  return files.reduce((size, { sizeBytes }) => size + sizeBytes, 0);
}

/** One source after the other: the files of a deeper level. */
export class ChainCursor extends CursorOfCursors {
  private readonly sources: readonly EntrySource[];
  private following = 0;

  constructor(sources: readonly EntrySource[]) {
    super();
    this.sources = sources;
  }

  next(): boolean {
    while (this.current === null || !this.current.next()) {
      const source = this.sources[this.following++];
      if (source === undefined) return false;
      this.current = source.cursor();
    }
    return true;
  }
}
