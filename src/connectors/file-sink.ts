/**
 * The file sink: rows in part files below a directory, visible only once the checkpoint that holds them is complete.
 *
 *     write ─► bucket ─► part file in progress ── rolled ──► pending ── checkpoint complete, renamed ──► finished
 *                          size, age, idleness, and every barrier
 *
 * Every barrier rolls, so a writer has no state of its own: what a checkpoint holds is the names of pending files.
 * What comes after a checkpoint that an attempt is restored from stays hidden for ever: later attempts have names of their own.
 *
 * Unlike Flink: row formats roll with every checkpoint, as bulk formats do, since files are never reopened for writing
 * (storage/file-system.ts). Source: Flink `FileSink`, `FileWriterBucket`, `DefaultRollingPolicy`, `OutputFileConfig`.
 */
import type { Timer } from '../base/ports.ts';
import type { Committer, SinkWriter } from '../graph/functions.ts';
import type { BucketContext, FileSinkSpec } from '../graph/operator-spec.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { FileSystem, FileSystems } from '../storage/file-system.ts';
import type { ConnectorPorts } from './connector-ports.ts';
import { PartFile } from './part-file.ts';

/** The longest time between two looks at the age of files. */
const CHECK_INTERVAL_MS_MAX = 60_000;

/** A pending file and the name it is to get. Locations with their scheme. */
export type PendingFile = { readonly pending: string; readonly target: string };

/** The part file of a bucket that rows go to. */
interface OpenPart {
  readonly file: PartFile;
  readonly names: PendingFile;
  lastWriteMs: number;
}

/** A part that was rolled since the last checkpoint. */
interface RolledPart {
  readonly file: PartFile;
  readonly pending: Promise<PendingFile>;
}

export class FileSinkWriter implements SinkWriter<unknown, PendingFile> {
  private readonly spec: FileSinkSpec;
  private readonly ports: ConnectorPorts;
  private readonly directory: string;
  /** Of this writer alone, so no attempt ever meets another's files. */
  private readonly uid: string;
  private partCount = 0;
  private readonly open = new Map<string, OpenPart>();
  private rolled: RolledPart[] = [];
  private failure: { readonly thrown: unknown } | null = null;
  private readonly timer: Timer;

  constructor(spec: FileSinkSpec, ports: ConnectorPorts) {
    this.spec = spec;
    this.ports = ports;
    this.uid = ports.random.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    this.directory = spec.data.path.replace(/(?<=.)\/+$/, '');
    const { rolloverMs, inactivityMs } = spec.data;
    this.timer = ports.clock.every(Math.max(1, Math.min(CHECK_INTERVAL_MS_MAX, rolloverMs, inactivityMs)), () => this.rollAged());
  }

  write(value: unknown, timestampMs: number): void | Promise<void> {
    if (this.failure !== null) throw this.failure.thrown;
    const nowMs = this.ports.clock.nowMs();
    const row = this.rowOf(value);
    const bucketId = this.bucketOf(value, { timestampMs, processingTimeMs: nowMs });
    const full = this.open.get(bucketId);
    const rolling = full !== undefined && full.file.sizeBytes >= this.spec.data.sizeBytesMax ? this.roll(bucketId, full) : undefined;
    const part = this.open.get(bucketId) ?? this.openPart(bucketId, nowMs);
    part.lastWriteMs = nowMs;
    const appended = part.file.append(row);
    return rolling === undefined ? appended : Promise.all([rolling, appended]).then(() => undefined);
  }

  /** Everything written so far is pending, and durable, when it resolves. */
  async flush(): Promise<void> {
    for (const [bucketId, part] of this.open) void this.roll(bucketId, part);
    await Promise.all(this.rolled.map(({ pending }) => pending));
  }

  async prepareCommit(): Promise<readonly PendingFile[]> {
    const pending = await Promise.all(this.rolled.map((part) => part.pending));
    this.rolled = [];
    return pending;
  }

  /** What no checkpoint can hold is removed: files in progress, and those rolled since the last barrier. */
  async close(): Promise<void> {
    this.timer.cancel();
    const rolled = this.rolled.map(async ({ file, pending }) => {
      await pending.catch(() => undefined);
      return file.discard();
    });
    await Promise.all([...rolled, ...[...this.open.values()].map(({ file }) => file.discard())]);
  }

  private rowOf(value: unknown): string {
    const row: unknown = this.spec.user.encode(value);
    if (typeof row === 'string') return row;
    throw new ClusterError('TYPE_MISMATCH', `fileSink: encode returned a value of type ${typeof row}, not a string`);
  }

  private bucketOf(value: unknown, context: BucketContext): string {
    const id: unknown = this.spec.user.bucket(value, context);
    if (typeof id === 'string' && !/^\/|(^|\/)(\.|_|\/|$)/.test(id === '' ? 'base' : id)) return id;
    const message = `fileSink: bucket returned '${String(id)}', which is not a path of visible directories below '${this.directory}'`;
    throw new ClusterError('BAD_REQUEST', message);
  }

  private openPart(bucketId: string, nowMs: number): OpenPart {
    const { prefix, suffix } = this.spec.data;
    const directory = bucketId === '' ? this.directory : `${this.directory}/${bucketId}`;
    const name = `${prefix}-${this.uid}-${this.partCount++}${suffix}`;
    const names = { pending: `${directory}/.${name}.inprogress.${this.ports.random.hex(8)}`, target: `${directory}/${name}` };
    const part = { file: new PartFile(this.ports.files.resolve(names.pending), nowMs), names, lastWriteMs: nowMs };
    this.open.set(bucketId, part);
    return part;
  }

  /** Ends the bucket's part file; the promise settles when it is pending. */
  private roll(bucketId: string, { file, names }: OpenPart): Promise<unknown> {
    this.open.delete(bucketId);
    const pending = file.finish().then(() => names);
    pending.catch((thrown: unknown) => void (this.failure ??= { thrown }));
    this.rolled.push({ file, pending });
    return pending;
  }

  private rollAged(): void {
    const nowMs = this.ports.clock.nowMs();
    const { rolloverMs, inactivityMs } = this.spec.data;
    for (const [bucketId, part] of this.open) {
      if (nowMs - part.file.createdMs >= rolloverMs || nowMs - part.lastWriteMs >= inactivityMs) void this.roll(bucketId, part);
    }
  }
}

/** Gives pending files their names. A file that has its name already was committed before. */
export class FileCommitter implements Committer<PendingFile> {
  private readonly fileSystems: FileSystems;

  constructor(fileSystems: FileSystems) {
    this.fileSystems = fileSystems;
  }

  async commit(committables: readonly PendingFile[]): Promise<void> {
    for (const { pending, target } of committables) {
      const { files, path } = this.fileSystems.resolve(pending);
      await finishFile(files, path, this.fileSystems.resolve(target).path);
    }
  }
}

async function finishFile(files: FileSystem, pending: string, target: string): Promise<void> {
  try {
    await files.rename(pending, target);
  } catch (failure) {
    // An attempt that was replaced may have done it, even in this moment.
    if (await exists(files, pending) || !(await exists(files, target))) throw failure;
  }
}

async function exists(files: FileSystem, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (failure) {
    if (failure instanceof ClusterError && failure.code === 'FILE_NOT_FOUND') return false;
    throw failure;
  }
}
