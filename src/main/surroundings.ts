/** What every process reads of its surroundings when it starts: configuration file, revision, installation. */
import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIGURATION_FILES, loadConfiguration, type LoadedConfiguration } from '../config/load.ts';
import { ClusterError } from '../protocol/errors.ts';
import { storageFault } from '../storage/storage-fault.ts';

/** Root of the installation: this file is `dist/src/main/surroundings.js` in it. */
export const HOME = fileURLToPath(new URL('../../..', import.meta.url));

/** The commit that was built, and its date; `unknown` outside of a repository. */
export interface Revision {
  readonly commit: string;
  readonly date: string;
}

/** Reads `dist/revision.json`. */
export function readRevision(): Revision {
  const path = join(HOME, 'dist', 'revision.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Revision) : { commit: 'unknown', date: 'unknown' };
}

/** `FLINK_CONF_DIR`, `../conf` of the installation, or `conf` here: the first that exists, else null. */
export function findConfDirectory(explicit: string | undefined): string | null {
  const candidates = explicit === undefined ? [join(HOME, 'conf'), resolve('conf')] : [resolve(explicit)];
  return candidates.find((path) => existsSync(path)) ?? null;
}

/** Loads the directory's configuration file with `-D` pairs on top. Throws CONFIG_INVALID, which lists every error. */
export function readConfiguration(
  confDirectory: string | null, dynamic: readonly string[],
): LoadedConfiguration & { readonly path: string | null } {
  const paths = confDirectory === null ? [] : CONFIGURATION_FILES.map((name) => join(confDirectory, name));
  const path = paths.find((candidate) => existsSync(candidate)) ?? null;
  const file = path === null ? null : { path, text: readText(path) };
  return { ...loadConfiguration({ file, dynamic }), path };
}

/** Text only: a file of another kind would become a configuration of defaults, with a warning for each of its lines. */
function readText(path: string): string {
  const bytes = readBytes(path);
  const lines = bytes.includes(0) || !isUtf8(bytes) ? bytes.toString('latin1').split('\n') : [];
  const bad = lines.findIndex((line) => line.includes('\0') || !isUtf8(Buffer.from(line, 'latin1')));
  if (bad >= 0) throw new ClusterError('CONFIG_INVALID', `${path}:${bad + 1}: this line is not text in UTF-8; is this the right file?`);
  return bytes.toString('utf8');
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw storageFault('read', path, thrown);
  }
}

/** Every setting by key, secrets included. */
export function flatConfiguration({ configuration }: LoadedConfiguration): Record<string, string> {
  return Object.fromEntries(Array.from(configuration.all(), ({ key, text }) => [key, text]));
}
