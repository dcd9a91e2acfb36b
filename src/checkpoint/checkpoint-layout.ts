/**
 * Where checkpoints lie. Flink's tree, so that scripts and habits hold:
 *
 *     <checkpoints>/<job id>/chk-<n>/_metadata    beside it the files of this checkpoint alone
 *     <checkpoints>/<job id>/shared/              files that several checkpoints refer to
 *     <checkpoints>/<job id>/taskowned/           never deleted by the JobManager
 *     <savepoints>/savepoint-<6 of job id>-<12 hex>/_metadata
 */
import { resolve } from 'node:path';
import type { JobId } from '../protocol/ids.ts';
import { parseLocation } from '../storage/file-system.ts';

export const METADATA_NAME = '_metadata';

/** The directories of one job's checkpoints. */
export interface CheckpointLayout {
  readonly root: string;
  readonly shared: string;
  readonly taskOwned: string;
  /** Whether nothing else lies below `root`. */
  readonly isOwnRoot: boolean;
}

/** `directory` as configured. `subDirectory`: `execution.checkpointing.create-subdir`. */
export function checkpointLayout(directory: string, jobId: JobId, subDirectory: boolean): CheckpointLayout {
  const parent = normalLocation(directory);
  const root = subDirectory ? `${parent}/${jobId}` : parent;
  return { root, shared: `${root}/shared`, taskOwned: `${root}/taskowned`, isOwnRoot: subDirectory };
}

export function checkpointDirectory({ root }: CheckpointLayout, checkpointId: number): string {
  return `${root}/chk-${checkpointId}`;
}

/** A name that is free with all likelihood; `hex`: 12 random characters. */
export function savepointDirectory(target: string, jobId: JobId, hex: string): string {
  return `${normalLocation(target)}/savepoint-${jobId.slice(0, 6)}-${hex}`;
}

/** Flink's spelling of a location: local paths become absolute `file:/…`; nothing ends in a slash. */
export function normalLocation(location: string): string {
  const { scheme, authority, path } = parseLocation(location);
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  if (scheme === 'file') return `file:${resolve(trimmed)}`;
  return `${scheme}://${authority}${trimmed}`;
}
