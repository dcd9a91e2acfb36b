/**
 * The dialect of `config.yaml`: standard YAML, nested or flat. `rest: {port: 8081}` is `rest.port: 8081`.
 *
 * Values stay the text that was written (the failsafe schema), since the option table knows the types.
 * js-yaml gives the values; its parse events give the line of each key.
 */
import { EVENT_ID, FAILSAFE_SCHEMA, loadAll, parseEvents, YAMLException } from 'js-yaml';
import type { Setting } from './configuration.ts';
import type { Finding } from './finding.ts';
import type { FileContents } from './flat-file.ts';

/** Bound on the nesting of a configuration file. */
const DEPTH_MAX = 32;

/** Reads the text of a `config.yaml`. Never throws: what is not YAML becomes an error with its line. */
export function parseNestedFile(path: string, text: string): FileContents {
  try {
    const documents = loadAll(text, { schema: FAILSAFE_SCHEMA, maxDepth: DEPTH_MAX });
    if (documents.length > 1) return refusal(path, 1, 'expected one document');
    return flatten(documents[0], path, linesOfKeys(text));
  } catch (failure) {
    if (!(failure instanceof YAMLException)) throw failure;
    return refusal(path, (failure.mark?.line ?? 0) + 1, failure.reason);
  }
}

function refusal(path: string, line: number, message: string): FileContents {
  return { settings: [], findings: [{ level: 'error', origin: { kind: 'file', path, line }, key: 'YAML', message }] };
}

function flatten(content: unknown, path: string, lines: ReadonlyMap<string, number>): FileContents {
  if (content === undefined || content === '') return { settings: [], findings: [] };
  if (!isMapping(content)) return refusal(path, 1, 'expected a mapping of keys to values');
  const settings: Setting[] = [];
  const findings: Finding[] = [];
  const visit = (node: unknown, key: string, lineOfParent: number): void => {
    const line = lines.get(key) ?? lineOfParent;
    const origin = { kind: 'file', path, line } as const;
    if (isMapping(node)) {
      for (const [name, child] of Object.entries(node)) visit(child, key === '' ? name : `${key}.${name}`, line);
    } else if (Array.isArray(node)) {
      settings.push({ key, text: node.map(String).join(';'), origin });
    } else if (node === '') {
      findings.push({ level: 'warning', origin, key, message: 'the value is missing; the key is ignored' });
    } else settings.push({ key, text: String(node), origin });
  };
  visit(content, '', 1);
  return { settings, findings };
}

function isMapping(node: unknown): node is Record<string, unknown> {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

/** Walks the parse events, keeping the path of keys from the root to where the walk is. */
function linesOfKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  const lineAt = lineFinder(text);
  const open: { readonly mapping: boolean; key: string | null }[] = [];
  for (const event of parseEvents(text, { maxDepth: DEPTH_MAX })) {
    const parent = open.at(-1);
    if (event.type === EVENT_ID.POP) {
      open.pop();
      closeValue(open.at(-1));
    } else if (event.type === EVENT_ID.SCALAR && parent?.mapping && parent.key === null) {
      parent.key = text.slice(event.valueStart, event.valueEnd);
      lines.set(open.flatMap((level) => level.key ?? []).join('.'), lineAt(event.valueStart));
    } else if (event.type === EVENT_ID.SCALAR || event.type === EVENT_ID.ALIAS) {
      closeValue(parent);
    } else open.push({ mapping: event.type === EVENT_ID.MAPPING, key: null });
  }
  return lines;
}

/** The value of the current key is complete: the next scalar of this mapping is a key again. */
function closeValue(level: { key: string | null } | undefined): void {
  if (level) level.key = null;
}

/** Line numbers from 1, for offsets in rising order. */
function lineFinder(text: string): (offset: number) => number {
  let line = 1;
  let position = 0;
  return (offset) => {
    for (; position < offset; position++) if (text.charCodeAt(position) === 10) line++;
    return line;
  };
}
