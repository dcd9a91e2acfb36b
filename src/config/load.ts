/**
 * From the text of a configuration file and `-D` arguments to a checked configuration. Every problem is
 * found at once. Does no I/O: `main` reads the file and hands in its text.
 *
 * As in Flink, an unknown key is a warning (it may belong to a connector), a value that cannot be used is
 * an error, and `-D` wins over the file.
 */
import type { Origin, Setting } from './configuration.ts';
import { Configuration, isSecret } from './configuration.ts';
import type { Finding } from './finding.ts';
import { showFinding } from './finding.ts';
import { parseFlatFile } from './flat-file.ts';
import { parseNestedFile } from './nested-file.ts';
import type { Option } from './option.ts';
import { knownKeys, optionFor, options } from './options.ts';
import { ValueError } from './value-types.ts';
import { nearest } from './near-miss.ts';
import { ClusterError } from '../protocol/errors.ts';

/** Names of the configuration file in `FLINK_CONF_DIR`; the first that exists is read. */
export const CONFIGURATION_FILES = ['flink-conf.yaml', 'config.yaml'] as const;

/** The version of Drey that this table describes, `major.minor`; a test compares it with the package's. */
export const TABLE_VERSION = '0.1';

/** What a process knows of its configuration when it starts. */
export interface ConfigurationSources {
  /** The file of `FLINK_CONF_DIR`, or null when there is none. Its name decides the dialect. */
  readonly file: { readonly path: string; readonly text: string } | null;
  /** `key=value` of each `-D`, in order; the last of a key wins. */
  readonly dynamic?: readonly string[];
}

/** A checked configuration, and what there is to say about it. */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly findings: readonly Finding[];
}

/** Parses and checks everything; throws nothing. The configuration is only fit for use when no finding is an error. */
export function inspectConfiguration({ file, dynamic = [] }: ConfigurationSources): LoadedConfiguration {
  const contents = file === null ? { settings: [], findings: [] } : parseFile(file.path, file.text);
  const overrides = parseDynamic(dynamic);
  const configuration = new Configuration([...contents.settings, ...overrides.settings]);
  const remarks = [...configuration.all()].flatMap((setting) => check(setting, configuration));
  const findings = [...contents.findings, ...overrides.findings, ...remarks];
  const isSound = !findings.some(({ level }) => level === 'error');
  return { configuration, findings: isSound ? [...findings, ...contradictions(configuration)] : findings };
}

/** Like `inspectConfiguration`, but throws one `CONFIG_INVALID` that lists every error, a line each. */
export function loadConfiguration(sources: ConfigurationSources): LoadedConfiguration {
  const loaded = inspectConfiguration(sources);
  const errors = loaded.findings.filter((finding) => finding.level === 'error');
  if (errors.length > 0) throw new ClusterError('CONFIG_INVALID', errors.map(showFinding).join('\n'));
  return loaded;
}

function parseFile(path: string, text: string): { settings: readonly Setting[]; findings: readonly Finding[] } {
  return path.endsWith('flink-conf.yaml') ? parseFlatFile(path, text) : parseNestedFile(path, text);
}

function parseDynamic(args: readonly string[]): { settings: Setting[]; findings: Finding[] } {
  const origin: Origin = { kind: 'dynamic' };
  const settings: Setting[] = [];
  const findings: Finding[] = [];
  for (const arg of args) {
    const equals = arg.indexOf('=');
    const key = (equals < 0 ? arg : arg.slice(0, equals)).trim();
    // As in Flink, `-Dkey` alone switches something on.
    if (key !== '') settings.push({ key, text: equals < 0 ? 'true' : arg.slice(equals + 1).trim(), origin });
    else findings.push({ level: 'error', origin, key: arg, message: 'expected key=value' });
  }
  return { settings, findings };
}

function check(setting: Setting, configuration: Configuration): Finding[] {
  const { key, origin } = setting;
  const option = optionFor(key);
  if (option === undefined) return [{ level: 'warning', origin, key, message: unknownKey(key) }];
  const findings: Finding[] = [];
  const problem = problemOf(option, setting);
  if (problem !== null) findings.push({ level: 'error', origin, key, message: problem });
  const remark = remarkOn(option, setting, configuration);
  if (remark !== null) findings.push({ level: 'notice', origin, key, message: remark });
  return findings;
}

/** Settings that are right alone and wrong together. As in Flink's HeartbeatServices. */
function contradictions(configuration: Configuration): Finding[] {
  const [interval, timeout] = [options.heartbeatInterval, options.heartbeatTimeout];
  const [intervalMs, timeoutMs] = [configuration.get(interval), configuration.get(timeout)];
  if (intervalMs <= timeoutMs) return [];
  const origin = (configuration.setting(timeout) ?? configuration.setting(interval))?.origin ?? { kind: 'code' };
  const message = `${timeoutMs} ms is shorter than ${interval.key} (${intervalMs} ms): every peer would be given up`;
  return [{ level: 'error', origin, key: timeout.key, message }];
}

function unknownKey(key: string): string {
  const suggestion = nearest(key, knownKeys());
  return suggestion === null ? 'unknown key' : `unknown key, did you mean '${suggestion}'?`;
}

function problemOf(option: Option, { key, text }: Setting): string | null {
  try {
    option.type.parse(text);
    return null;
  } catch (failure) {
    if (!(failure instanceof ValueError)) throw failure;
    return isSecret(key) ? `not a ${option.type.name}` : failure.message;
  }
}

function remarkOn(option: Option, { key }: Setting, configuration: Configuration): string | null {
  if (option.withoutEffect !== undefined) return `without effect: ${option.withoutEffect}`;
  if (option.since.localeCompare(TABLE_VERSION, 'en', { numeric: true }) > 0) {
    return `takes effect from version ${option.since} on; this is ${TABLE_VERSION}`;
  }
  if (!option.deprecatedKeys.includes(key)) return null;
  const winner = configuration.setting(option)?.key;
  return winner === key ? `deprecated, use '${option.key}'` : `ignored, since '${winner}' is set`;
}
