/**
 * A configuration: settings as somebody wrote them, with where each was written, read through the option
 * table. Immutable. Values were checked when it was loaded (load.ts), so `get` does not fail.
 */
import type { Option } from './option.ts';

/** Where a setting was written: a place in a file, `-D` on a command line, or code. */
export type Origin =
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'dynamic' }
  | { readonly kind: 'code' };

/** One setting, under the key that was written, which may be a deprecated spelling. */
export interface Setting {
  readonly key: string;
  readonly text: string;
  readonly origin: Origin;
}

/** What secrets look like wherever configuration is shown. */
export const HIDDEN = '******';

const SECRET_WORDS = [
  'password', 'secret', 'fs.azure.account.key', 'apikey', 'api-key', 'auth-params', 'service-key', 'token', 'basic-auth',
  'jaas.config', 'http-headers', 'client.authorization',
];

/** Whether the value of `key` must not be shown. Source: GlobalConfiguration.SENSITIVE_KEYS. */
export function isSecret(key: string): boolean {
  const lower = key.toLowerCase();
  return SECRET_WORDS.some((word) => lower.includes(word));
}

/** `file:line`, `-D` or `code`. */
export function showOrigin(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.path}:${origin.line}`;
  return origin.kind === 'dynamic' ? '-D' : 'code';
}

/** Settings by key, read through the option table. */
export class Configuration {
  private readonly settings: ReadonlyMap<string, Setting>;

  /** Of two settings with the same key the later one counts. */
  constructor(settings: Iterable<Setting> = []) {
    this.settings = new Map(Array.from(settings, (setting) => [setting.key, setting] as const));
  }

  /** A configuration made by code: an embedded cluster, a test. Keys and texts as in the configuration file. */
  static of(texts: Readonly<Record<string, string | number | boolean>>): Configuration {
    const origin: Origin = { kind: 'code' };
    return new Configuration(Object.entries(texts).map(([key, value]) => ({ key, text: String(value), origin })));
  }

  /** The value of `option`: what was set, else its default. Throws `ValueError` only for settings that were never checked. */
  get<T>(option: Option<T>): T {
    const text = this.setting(option)?.text ?? option.defaultText;
    return (text === null ? undefined : option.type.parse(text)) as T;
  }

  /** The setting that `get` reads, or undefined when the default counts. */
  setting(option: Option): Setting | undefined {
    for (const key of [option.key, ...option.deprecatedKeys]) {
      const setting = this.settings.get(key);
      if (setting !== undefined) return setting;
    }
    return undefined;
  }

  /** Whether somebody set `option`. */
  has(option: Option): boolean {
    return this.setting(option) !== undefined;
  }

  /** The settings whose keys start with `prefix`, by the rest of the key: the families of reporters, file systems and the like. */
  family(prefix: string): ReadonlyMap<string, string> {
    const members = [...this.settings.values()].filter(({ key }) => key.startsWith(prefix));
    return new Map(members.map(({ key, text }) => [key.slice(prefix.length), text]));
  }

  /** This configuration with `overrides` on top. */
  with(overrides: Configuration): Configuration {
    return new Configuration([...this.settings.values(), ...overrides.settings.values()]);
  }

  /** Every setting in the order of writing, secrets included: for passing on, never for showing. */
  all(): Iterable<Setting> {
    return this.settings.values();
  }

  /** Every setting in the order of writing, secrets hidden: for logs and REST. */
  shown(): readonly Setting[] {
    return Array.from(this.settings.values(), (setting) => (isSecret(setting.key) ? { ...setting, text: HIDDEN } : setting));
  }
}
