/**
 * What the option table is made of: an option ties a key to a type, a default and its documentation.
 *
 * A key may contain placeholders (`metrics.reporter.<name>.port`): such an option describes a family of
 * keys and is read through `Configuration.family`.
 */
import type { ValueType } from './value-types.ts';

/** An entry of the option table. `T` is what `Configuration.get` returns. */
export interface Option<T = unknown> {
  readonly key: string;
  readonly type: ValueType<NonNullable<T>>;
  /** As an operator would write it; null when the option has no default and reads as undefined. */
  readonly defaultText: string | null;
  /** Older spellings, newest first. They are accepted with a notice; the current key wins over them. */
  readonly deprecatedKeys: readonly string[];
  /** One paragraph of Markdown. */
  readonly description: string;
  /** The version of Drey in which the key takes effect, `major.minor`. */
  readonly since: string;
  /** Set for keys that only make sense on a JVM: why they are accepted and ignored here. */
  readonly withoutEffect?: string;
}

/** How an option is written in the table. */
export interface OptionSpec<T> {
  readonly key: string;
  readonly type: ValueType<T>;
  readonly description: string;
  readonly deprecated?: readonly string[];
  readonly since?: string;
}

/** The version in which most options took effect. */
const FIRST_VERSION = '0.1';

/** An option that always has a value. `defaultText` is written as in the configuration file. */
export function option<T>(spec: OptionSpec<T> & { readonly default: string }): Option<T> {
  return { ...parts(spec), defaultText: spec.default } as Option<T>;
}

/** An option that is undefined unless somebody sets it. */
export function optional<T>(spec: OptionSpec<T>): Option<T | undefined> {
  return { ...parts(spec), defaultText: null } as Option<T | undefined>;
}

/** A key that Flink knows and that cannot mean anything on Node.js: accepted, reported, ignored. */
export function ignored<T>(key: string, type: ValueType<T>, reason: string): Option<T | undefined> {
  const spec = { key, type, description: `Accepted for compatibility. Without effect: ${reason}` };
  return { ...optional(spec), withoutEffect: reason };
}

function parts<T>(spec: OptionSpec<T>): Omit<Option<T>, 'defaultText' | 'type'> & { type: ValueType<T> } {
  return {
    key: spec.key,
    type: spec.type,
    deprecatedKeys: spec.deprecated ?? [],
    description: spec.description,
    since: spec.since ?? FIRST_VERSION,
  };
}
