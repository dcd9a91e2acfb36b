/**
 * Says of most places that a file lacks that it lacks them: 10 bits an entry, of which six are set within one cache line,
 * leave about 1 in 100. Source: Putze, Sanders, Singler, Cache-, Hash- and Space-Efficient Bloom Filters (2007).
 */
const BITS_PER_ENTRY = 10;
const WORDS_PER_LINE = 16;
const PROBES = 6;
const GOLDEN = 0x9e3779b1;

export class BloomFilter {
  private readonly words: Uint32Array;

  /** For about `entryCount` entries. */
  constructor(entryCount: number) {
    const lines = Math.max(1, Math.ceil((entryCount * BITS_PER_ENTRY) / (32 * WORDS_PER_LINE)));
    this.words = new Uint32Array(lines * WORDS_PER_LINE);
  }

  static of(places: Float64Array): BloomFilter {
    const filter = new BloomFilter(places.length);
    for (const place of places) filter.add(place);
    return filter;
  }

  get sizeBytes(): number {
    return this.words.byteLength;
  }

  mayHave(place: number): boolean {
    const { words } = this;
    const spread = spreadOf(place);
    const line = this.lineOf(spread);
    for (let i = 0, bits = Math.imul(spread, GOLDEN); i < PROBES; i++, bits = Math.imul(bits, GOLDEN) + 1) {
      const bit = bits >>> 23;
      if ((((words[line + (bit >>> 5)] as number) >>> (bit & 31)) & 1) === 0) return false;
    }
    return true;
  }

  private add(place: number): void {
    const { words } = this;
    const spread = spreadOf(place);
    const line = this.lineOf(spread);
    for (let i = 0, bits = Math.imul(spread, GOLDEN); i < PROBES; i++, bits = Math.imul(bits, GOLDEN) + 1) {
      const bit = bits >>> 23;
      words[line + (bit >>> 5)] = (words[line + (bit >>> 5)] as number) | (1 << (bit & 31));
    }
  }

  private lineOf(spread: number): number {
    return Math.floor(((spread >>> 0) / 4294967296) * (this.words.length / WORDS_PER_LINE)) * WORDS_PER_LINE;
  }
}

/** Murmur's finish: hashes of keys may be numbers in a row. */
function spreadOf(place: number): number {
  let code = place | 0;
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b);
  code = Math.imul(code ^ (code >>> 13), 0xc2b2ae35);
  return code ^ (code >>> 16);
}
