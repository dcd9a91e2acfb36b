/**
 * Arguments of a job: declared once, typed in the build function, parsed from the words after the job file
 * on the command line (`--key value`, `--key=value`, `--flag`).
 *
 *     job({ name: 'WordCount', args: { input: arg.path(), top: arg.int({ default: 10 }) } }, (env, args) => …)
 *
 * Parsed arguments are plain data and travel with the job: every rebuild gets the same.
 */
import { resolve } from 'node:path';
import { nearest } from '../config/near-miss.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

/** One declared argument of type `T`. Made by `arg.*`. */
export interface Argument<T> {
  /** Type-level only. */
  readonly __type?: T;
  /** What is expected, for messages: `an integer`. */
  readonly expects: string;
  /** A switch takes no value: `--verbose`. */
  readonly isSwitch: boolean;
  readonly required: boolean;
  /** Undefined: absent unless given. */
  readonly fallback: JsonValue | undefined;
  readonly description: string | undefined;
  /** Undefined when `text` is not what is expected. Relative paths are meant from `workingDirectory`. */
  parse(text: string, workingDirectory: string): JsonValue | undefined;
}

/** The arguments that a job declares, by name. */
export type ArgumentSpecs = Readonly<Record<string, Argument<unknown>>>;

/** What the build function receives. */
export type ArgumentsOf<A extends ArgumentSpecs> = {
  readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never;
};

/** With `default` or `optional: true` an argument need not be given. */
export interface ArgumentOptions<T> {
  readonly default?: T;
  readonly optional?: true;
  /** One line, for the list of arguments in error messages. */
  readonly description?: string;
}

/** `T`, or with undefined when the options say `optional`. */
type Given<T, O> = O extends { readonly optional: true } ? T | undefined : T;

/** Makers of arguments. */
export const arg = {
  /** Any text. */
  string: <const O extends ArgumentOptions<string>>(options?: O) => argument<Given<string, O>>('a text', options, (text) => text),
  /**
   * A path or URI. A relative path is resolved where the job is submitted, so that every process means the same file.
   */
  path: <const O extends ArgumentOptions<string>>(options?: O) =>
    argument<Given<string, O>>('a path', options, (text, from) => (/^[a-z][a-z0-9+.-]*:/i.test(text) ? text : resolve(from, text))),
  /** A safe integer. */
  int: <const O extends ArgumentOptions<number>>(options?: O) => argument<Given<number, O>>('an integer', options, parseInteger),
  /** A finite number. */
  number: <const O extends ArgumentOptions<number>>(options?: O) => argument<Given<number, O>>('a number', options, parseNumber),
  /** A switch, false unless given: `--verbose`, `--verbose=false`. */
  boolean: (options?: { readonly description?: string }) => ({
    ...argument<boolean>('true or false', { ...options, default: false }, parseBoolean),
    isSwitch: true,
  }),
  /** One of a fixed list of words. */
  choice: <const C extends readonly string[], const O extends ArgumentOptions<C[number]>>(choices: C, options?: O) =>
    argument<Given<C[number], O>>(`one of ${choices.join(', ')}`, options, (text) => (choices.includes(text) ? text : undefined)),
};

/** Parses command-line words. Throws PROGRAM_INVALID naming the argument. */
export function parseArguments(specs: ArgumentSpecs, words: readonly string[], workingDirectory: string): JsonObject {
  const given: Record<string, JsonValue> = {};
  for (let i = 0; i < words.length; i++) {
    const { name, inline } = readFlag(words[i] as string, specs);
    const spec = specs[name] as Argument<unknown>;
    const next = words[i + 1];
    const takesNext = inline === undefined && (spec.isSwitch ? next === 'true' || next === 'false' : true);
    if (takesNext) i += 1;
    const text = inline ?? (takesNext ? next : 'true');
    if (text === undefined) throw invalid(`argument --${name} needs a value: ${spec.expects}`);
    if (name in given) throw invalid(`argument --${name} is given twice`);
    given[name] = parseValue(name, spec.parse(text, workingDirectory), { spec, text });
  }
  return completeArguments(specs, given);
}

/** Fills in defaults and checks that nothing required is missing. Throws PROGRAM_INVALID. */
export function completeArguments(specs: ArgumentSpecs, given: JsonObject): JsonObject {
  const missing = Object.keys(specs).filter((name) => specs[name]?.required && given[name] === undefined);
  if (missing.length > 0) {
    throw invalid(`missing ${missing.map((name) => `--${name}`).join(', ')}. Arguments:\n${usageOf(specs)}`);
  }
  const defaults = Object.entries(specs).flatMap(([name, { fallback }]) => (fallback === undefined ? [] : [[name, fallback] as const]));
  return { ...Object.fromEntries(defaults), ...given };
}

function argument<T>(expects: string, options: ArgumentOptions<unknown> | undefined, parse: Argument<T>['parse']): Argument<T> {
  const fallback = options?.default as JsonValue | undefined;
  return {
    expects,
    isSwitch: false,
    required: fallback === undefined && options?.optional !== true,
    fallback,
    description: options?.description,
    parse,
  };
}

function parseInteger(text: string): number | undefined {
  const isInteger = /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text));
  return isInteger ? Number(text) : undefined;
}

function parseNumber(text: string): number | undefined {
  const isFinite = text.trim() !== '' && Number.isFinite(Number(text));
  return isFinite ? Number(text) : undefined;
}

function parseBoolean(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function readFlag(word: string, specs: ArgumentSpecs): { readonly name: string; readonly inline: string | undefined } {
  const [, name, inline] = word.match(/^--?([^=-][^=]*)(?:=([\s\S]*))?$/) ?? [];
  if (name === undefined) throw invalid(`'${word}' is not an argument; arguments are written --name value. Arguments:\n${usageOf(specs)}`);
  if (!Object.hasOwn(specs, name)) {
    const near = nearest(name, Object.keys(specs));
    throw invalid(`unknown argument --${name}${near === null ? '' : `, did you mean --${near}?`} Arguments:\n${usageOf(specs)}`);
  }
  return { name, inline };
}

function parseValue(name: string, value: JsonValue | undefined, { spec, text }: { spec: Argument<unknown>; text: string }): JsonValue {
  if (value === undefined) throw invalid(`argument --${name}: expected ${spec.expects}, not '${text}'`);
  return value;
}

function usageOf(specs: ArgumentSpecs): string {
  const lines = Object.entries(specs).map(([name, { expects, required, fallback, description }]) => {
    const presence = required ? 'required' : fallback === undefined ? 'optional' : `default ${JSON.stringify(fallback)}`;
    return `  --${name}  ${expects} (${presence})${description === undefined ? '' : `: ${description}`}`;
  });
  return lines.length > 0 ? lines.join('\n') : '  none';
}

function invalid(message: string): ClusterError {
  return new ClusterError('PROGRAM_INVALID', message);
}
