/**
 * How the text of a setting becomes a value: one parser for each type of option.
 *
 * Spellings are Flink's (TimeUtils, MemorySize, ConfigurationUtils, NetUtils): a duration without a unit
 * is in milliseconds, a size without a unit in bytes, a size's units are powers of 1024.
 */

/** The text does not fit the type. The message continues the sentence `<key>: `. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** A type of option: its name in the documentation and its parser, which throws `ValueError`. */
export interface ValueType<T> {
  readonly name: string;
  parse(text: string): T;
}

/** An inclusive range of TCP ports; a single port has equal ends. */
export interface PortSpan {
  readonly firstPort: number;
  readonly lastPort: number;
}

const PORT_MAX = 65535;

/** Any text. */
export const string: ValueType<string> = { name: 'String', parse: (text) => text };

/** `true` or `false`, in any case. */
export const boolean: ValueType<boolean> = {
  name: 'Boolean',
  parse(text) {
    const lower = text.toLowerCase();
    if (lower !== 'true' && lower !== 'false') throw new ValueError(`expected true or false, found '${text}'`);
    return lower === 'true';
  },
};

/** A whole number between `min` and `max`, both included. */
export function int(min = -(2 ** 31), max = 2 ** 31 - 1): ValueType<number> {
  return {
    name: 'Integer',
    parse(text) {
      const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= min && value <= max)) throw new ValueError(`expected a whole number from ${min} to ${max}, found '${text}'`);
      return value;
    },
  };
}

/** A TCP port; 0 lets the operating system choose. */
export const port: ValueType<number> = { ...int(0, PORT_MAX), name: 'Port' };

/** A finite number. */
export const double: ValueType<number> = {
  name: 'Double',
  parse(text) {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value)) throw new ValueError(`expected a number, found '${text}'`);
    return value;
  },
};

const DURATION_UNITS_MS: ReadonlyMap<string, number> = unitTable([
  ['d,day,days', 86_400_000],
  ['h,hour,hours', 3_600_000],
  ['m,min,minute,minutes', 60_000],
  ['s,sec,secs,second,seconds', 1000],
  ['ms,milli,millis,millisecond,milliseconds', 1],
  ['µs,micro,micros,microsecond,microseconds', 1e-3],
  ['ns,nano,nanos,nanosecond,nanoseconds', 1e-6],
]);

const SIZE_UNITS_BYTES: ReadonlyMap<string, number> = unitTable([
  ['b,byte,bytes', 1],
  ['k,kb,kibibyte,kibibytes', 1024],
  ['m,mb,mebibyte,mebibytes', 1024 ** 2],
  ['g,gb,gibibyte,gibibytes', 1024 ** 3],
  ['t,tb,tebibyte,tebibytes', 1024 ** 4],
]);

/** A length of time in milliseconds: `10 s`, `10s`, `1 min`, `500 ms`, `1 d`, or a plain count of milliseconds. */
export const duration: ValueType<number> = {
  name: 'Duration',
  parse: (text) => quantity(text, DURATION_UNITS_MS, 'ms', "a duration such as '10 s', '500 ms', '1 min' or '1 d'"),
};

/** A size in bytes: `16384m`, `1g`, `64kb`, `1 gb`, or a plain count of bytes. */
export const memory: ValueType<number> = {
  name: 'MemorySize',
  parse: (text) => quantity(text, SIZE_UNITS_BYTES, 'b', "a size such as '64kb', '1600m' or '1 gb'"),
};

/**
 * One of `values`, compared without regard to case, `_` or `-`. `aliases` maps further accepted spellings
 * to values.
 */
export function enumeration<const V extends string>(
  values: readonly V[],
  aliases: Readonly<Record<string, V>> = {},
): ValueType<V> {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_]/g, '');
  const table = new Map<string, V>();
  for (const value of values) table.set(plain(value), value);
  for (const [alias, value] of Object.entries(aliases)) table.set(plain(alias), value);
  return {
    name: `Enum: ${values.join(', ')}`,
    parse(text) {
      const value = table.get(plain(text));
      if (value === undefined) throw new ValueError(`expected one of ${values.join(', ')}, found '${text}'`);
      return value;
    },
  };
}

/** Items separated by `separator`, trimmed; empty items are left out. */
export function list(separator: ',' | ';' = ';'): ValueType<readonly string[]> {
  return {
    name: `List<String>, separated by '${separator}'`,
    parse: (text) => splitItems(text, separator),
  };
}

/** `key:value` pairs separated by commas. */
export const map: ValueType<ReadonlyMap<string, string>> = {
  name: 'Map',
  parse(text) {
    const pairs = new Map<string, string>();
    for (const item of splitItems(text, ',')) {
      const colon = item.indexOf(':');
      if (colon <= 0) throw new ValueError(`expected key:value pairs separated by commas, found '${item}'`);
      pairs.set(item.slice(0, colon).trim(), item.slice(colon + 1).trim());
    }
    return pairs;
  },
};

/** One port, a range `50010-50020`, or several of both separated by commas, tried in order. */
export const portRange: ValueType<readonly PortSpan[]> = {
  name: 'Port range',
  parse(text) {
    const spans = splitItems(text, ',').map(portSpan);
    if (spans.length === 0) throw new ValueError(`expected a port or a range of ports, found '${text}'`);
    return spans;
  },
};

/** The ports of `spans`, in the order in which a process tries them. */
export function* eachPort(spans: readonly PortSpan[]): Generator<number> {
  for (const { firstPort, lastPort } of spans) {
    for (let candidate = firstPort; candidate <= lastPort; candidate++) yield candidate;
  }
}

function portSpan(text: string): PortSpan {
  const match = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(text);
  const firstPort = Number(match?.[1] ?? Number.NaN);
  const lastPort = match?.[2] === undefined ? firstPort : Number(match[2]);
  if (!(firstPort <= lastPort && lastPort <= PORT_MAX)) {
    throw new ValueError(`expected ports such as '8081' or '50010,50020-50025', found '${text}'`);
  }
  return { firstPort, lastPort };
}

function splitItems(text: string, separator: string): string[] {
  return text.split(separator).map((item) => item.trim()).filter((item) => item !== '');
}

function quantity(text: string, units: ReadonlyMap<string, number>, unitOfPlainNumbers: string, expected: string): number {
  const match = /^(\d+)\s*([a-zµ]*)$/.exec(text.trim().toLowerCase());
  const factor = units.get(match?.[2] || unitOfPlainNumbers);
  if (match === null || factor === undefined) throw new ValueError(`expected ${expected}, found '${text}'`);
  const value = Number(match[1]) * factor;
  if (value > Number.MAX_SAFE_INTEGER) throw new ValueError(`'${text}' is too large`);
  return value;
}

function unitTable(rows: readonly (readonly [spellings: string, factor: number])[]): Map<string, number> {
  return new Map(rows.flatMap(([spellings, factor]) => spellings.split(',').map((spelling) => [spelling, factor] as const)));
}
