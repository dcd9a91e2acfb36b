/** Chance that repeats: the same seed draws the same numbers. Generator: mulberry32. */
import type { Random } from '../../src/base/ports.ts';

/** A seeded source of chance, with the draws a scenario needs. */
export class SeededRandom implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
  }

  unit(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  hex(sizeBytes: number): string {
    return Array.from({ length: sizeBytes }, () => this.int(0, 255).toString(16).padStart(2, '0')).join('');
  }

  /** Uniform in [min, max], both inclusive. */
  int(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new RangeError('pick from nothing');
    return item;
  }

  /** An independent stream: what one part of a scenario draws does not move the others. */
  fork(): SeededRandom {
    return new SeededRandom(Math.floor(this.unit() * 2 ** 32));
  }
}
