/**
 * The dialect of `flink-conf.yaml`: one `key: value` a line, as Flink read it up to 1.18.
 *
 * It is not YAML: a value may hold `: ` (`env.java.opts: -Dx=y: z`), the last of several settings wins, and
 * quotes belong to the value. A ` #` starts a comment. Source: GlobalConfiguration.loadLegacyYAMLResource.
 */
import type { Setting } from './configuration.ts';
import type { Finding } from './finding.ts';

/** What a file holds, and what is wrong with it. */
export interface FileContents {
  readonly settings: readonly Setting[];
  readonly findings: readonly Finding[];
}

/** Reads the text of a `flink-conf.yaml`. Never throws: bad lines become warnings, as in Flink. */
export function parseFlatFile(path: string, text: string): FileContents {
  const settings: Setting[] = [];
  const findings: Finding[] = [];
  const lineByKey = new Map<string, number>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const origin = { kind: 'file', path, line: index + 1 } as const;
    const content = withoutComment(raw.replace(/^\uFEFF/, '')).trim();
    if (content === '' || content === '---') continue;
    const warn = (key: string, message: string): number => findings.push({ level: 'warning', origin, key, message });
    const [key, value] = splitAtColon(content);
    if (value === null) {
      warn(key, `expected 'key: value' with a space after the colon; the line is ignored`);
    } else if (key === '' || value === '') {
      warn(key, key === '' ? 'the key is missing; the line is ignored' : 'the value is missing; the line is ignored');
    } else {
      const before = lineByKey.get(key);
      if (before !== undefined) warn(key, `set before in line ${before}; this line wins`);
      lineByKey.set(key, origin.line);
      settings.push({ key, text: unquoted(value), origin });
    }
  }
  return { settings, findings };
}

function withoutComment(line: string): string {
  if (/^\s*#/.test(line)) return '';
  const start = line.search(/\s#/);
  return start < 0 ? line : line.slice(0, start);
}

/** Splits at the first `: `, or at a colon that ends the line. */
function splitAtColon(content: string): readonly [key: string, value: string | null] {
  const match = /^(.*?):(?:\s+(.*))?$/.exec(content);
  if (match === null) return [content.split(':', 1)[0] ?? content, null];
  return [(match[1] ?? '').trim(), (match[2] ?? '').trim()];
}

/** Flink kept the quotes and stumbled over them later; nobody means them to be part of the value. */
function unquoted(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
}
