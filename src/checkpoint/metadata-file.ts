/**
 * The `_metadata` file: one line that says what follows and proves it, then the metadata as JSON.
 *
 *     drey-checkpoint 1 <SHA-256 of the rest> <bytes of the rest>\n
 *     {"checkpointId":7,…}
 *
 * Files below the checkpoint's own directory are named relative to it (`./…`), so that a savepoint can be moved; all
 * other files (shared ones) by their full path. Version N reads version N - 1.
 */
import { createHash } from 'node:crypto';
import { ClusterError } from '../protocol/errors.ts';
import { canonicalJson, type JsonValue } from '../protocol/json.ts';
import { parseCheckpointMetadata, withPaths, type CheckpointMetadata } from './checkpoint-metadata.ts';

const MAGIC = 'drey-checkpoint';
const FORMAT_VERSION = 1;
/** The first line is short; a file without a line end here is not ours. */
const HEADER_SIZE_BYTES_MAX = 128;
const OWN = './';

/** Hex digest of some bytes. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The file's bytes. `directory`: the one that will hold it. */
export function encodeMetadata(metadata: CheckpointMetadata, directory: string): Uint8Array {
  const prefix = `${directory}/`;
  const relative = withPaths(metadata, (path) => (path.startsWith(prefix) ? OWN + path.slice(prefix.length) : path));
  const body = Buffer.from(canonicalJson(relative as unknown as JsonValue));
  return Buffer.concat([Buffer.from(`${MAGIC} ${FORMAT_VERSION} ${sha256Of(body)} ${body.length}\n`), body]);
}

/** The inverse. `path` is named by faults: CHECKPOINT_CORRUPT for damage, UNSUPPORTED for what another system or version wrote. */
export function decodeMetadata(bytes: Uint8Array, path: string, directory: string): CheckpointMetadata {
  const end = bytes.subarray(0, HEADER_SIZE_BYTES_MAX).indexOf(0x0a);
  const [magic, version, sha256, sizeText] = Buffer.from(bytes.subarray(0, Math.max(0, end))).toString('latin1').split(' ');
  if (magic !== MAGIC) throw foreign(path, `it does not begin with '${MAGIC}'`);
  if (version !== String(FORMAT_VERSION)) throw foreign(path, `its format version is ${version}; this one reads ${FORMAT_VERSION}`);
  const body = bytes.subarray(end + 1);
  if (String(body.length) !== sizeText) throw corrupt(path, `${sizeText} bytes were written, ${body.length} are there`);
  if (sha256Of(body) !== sha256) throw corrupt(path, 'its SHA-256 is not the one that was written');
  try {
    const metadata = parseCheckpointMetadata(JSON.parse(Buffer.from(body).toString('utf8')) as JsonValue);
    return withPaths(metadata, (file) => (file.startsWith(OWN) ? `${directory}/${file.slice(OWN.length)}` : file));
  } catch (thrown) {
    throw corrupt(path, 'it cannot be parsed', thrown);
  }
}

function foreign(path: string, why: string): ClusterError {
  return new ClusterError('UNSUPPORTED', `${path} is no checkpoint of this system: ${why}`);
}

function corrupt(path: string, why: string, cause?: unknown): ClusterError {
  return new ClusterError('CHECKPOINT_CORRUPT', `${path} is damaged: ${why}`, { cause });
}
