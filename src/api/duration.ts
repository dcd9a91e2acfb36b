/** Durations as users write them: milliseconds, or a number with a unit that the compiler checks. */
import { planError } from '../graph/build-site.ts';

const UNITS_MS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds, or for example `'100 ms'`, `'10 s'`, `'5 min'`, `'2 h'`, `'1 d'`. */
export type Duration = number | `${number} ${keyof typeof UNITS_MS}`;

/** The duration in ms. Throws PLAN_INVALID, naming `option`, when it is malformed or negative. */
export function durationMs(duration: Duration, option: string): number {
  const ms = typeof duration === 'number' ? duration : parse(duration);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw planError(
    `${option}: '${duration}' is not a duration; write milliseconds, or for example '10 s' (units: ms, s, min, h, d)`,
  );
}

function parse(text: string): number {
  const [, amount, unit] = text.match(/^(\d+(?:\.\d+)?) ?(ms|s|min|h|d)$/) ?? [];
  return amount === undefined ? NaN : Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
