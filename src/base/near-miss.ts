/** "Did you mean …": the known word that a mistyped one was probably meant to be. For arguments and configuration keys. */

/** The closest candidate within two edits, or a third of its length; null when none is that close. */
export function nearMiss(word: string, candidates: readonly string[]): string | null {
  const ranked = candidates.map((candidate) => ({ candidate, edits: editDistance(word, candidate) })).toSorted((a, b) => a.edits - b.edits);
  const [best] = ranked;
  return best && best.edits < best.candidate.length && best.edits <= Math.max(2, best.candidate.length / 3) ? best.candidate : null;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}
