/**
 * The state that one subtask hands over for one checkpoint, on the main thread: slices of bytes come in,
 * handles come out. Small state travels inline, the rest goes to files that appear complete or not at all.
 *
 *     slices ─► [ buffered up to the inline limit ] ─► file `<directory>/<attempt>-<checkpoint>-<n>` ─► handle with SHA-256
 *
 * Invariant: after `discard` no file of this part is left, whatever had failed before.
 *
 * Source: Flink `FsCheckpointStreamFactory`.
 */
import { createHash } from 'node:crypto';
import { present } from '../base/assert.ts';
import type { CheckpointOptions, StateHandle } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { LocalCopy } from './local-states.ts';
import type { FileSystems, FileWriter } from '../storage/file-system.ts';

/** State of one subtask when there is no checkpoint directory: it rests in the JobManager's memory. Flink: `MAX_MEM_STATE_SIZE`. */
const MEMORY_SIZE_BYTES_MAX = 5 * 1024 * 1024;

/** Where the files of one part go. */
export interface CheckpointPlace {
  readonly files: FileSystems;
  readonly options: CheckpointOptions;
  /** Begins the names of the files; tells attempts and checkpoints apart. */
  readonly prefix: string;
  /** A copy on this host of the file with this name; null: none is kept. */
  readonly copyOf: (name: string) => LocalCopy | null;
}

/** The files of one subtask's part. */
export class CheckpointFiles {
  private readonly place: CheckpointPlace;
  private readonly parts = new Map<number, StateFile>();
  /** Writes go one after another; rejected from the first failure on. */
  private written: Promise<void> = Promise.resolve();
  private isDiscarded = false;

  constructor(place: CheckpointPlace) {
    this.place = place;
  }

  /** Appends a slice to file number `file`, which begins with its first slice. Settles once the slice is taken. */
  write(file: number, bytes: Uint8Array, shared: boolean): Promise<void> {
    const part = this.parts.get(file) ?? new StateFile(this.place, file, shared);
    this.parts.set(file, part);
    const taken = this.written.then(() => this.isDiscarded ? undefined : part.write(bytes));
    this.written = taken;
    return taken;
  }

  /** Makes everything durable. Throws what any write threw. */
  async finish(): Promise<ReadonlyMap<number, StateHandle>> {
    await this.written;
    const handles = new Map<number, StateHandle>();
    for (const [file, part] of this.parts) handles.set(file, await part.finish());
    return handles;
  }

  /** Removes what was written. Faults are left to the caller to log. */
  async discard(): Promise<void> {
    this.isDiscarded = true;
    await this.written.catch(() => undefined); // Told to whoever wrote.
    for (const part of this.parts.values()) await part.discard();
  }
}

/** One file, or what stays inline. */
class StateFile {
  private readonly place: CheckpointPlace;
  private readonly shared: boolean;
  /** Null: there is no directory. */
  private readonly path: string | null;
  private readonly hash = createHash('sha256');
  private buffered: Uint8Array[] = [];
  private writer: FileWriter | null = null;
  private readonly name: string;
  private copy: LocalCopy | null = null;
  private isCommitted = false;
  private sizeBytes = 0;

  constructor(place: CheckpointPlace, file: number, shared: boolean) {
    const { directory, sharedDirectory } = place.options;
    const target = shared ? sharedDirectory : directory;
    this.place = place;
    this.shared = shared;
    this.name = `${place.prefix}-${file}`;
    this.path = target === null ? null : `${target}/${this.name}`;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    this.sizeBytes += bytes.length;
    this.buffered.push(bytes);
    if (this.sizeBytes <= this.inlineSizeBytesMax) return;
    if (this.path === null) throw this.tooLarge();
    this.writer ??= await this.create(this.path);
    for (const each of this.buffered.splice(0)) await Promise.all([this.writer.write(each), this.copy?.write(each)]);
  }

  async finish(): Promise<StateHandle> {
    const sha256 = this.hash.digest('hex');
    if (this.writer === null) return { kind: 'inline', base64: Buffer.concat(this.buffered).toString('base64'), sha256 };
    await Promise.all([this.writer.commit(), this.copy?.commit()]);
    this.isCommitted = true;
    return { kind: 'file', path: present(this.path, 'a file has a path'), sizeBytes: this.sizeBytes, sha256, shared: this.shared };
  }

  async discard(): Promise<void> {
    this.buffered = [];
    await this.writer?.abort();
    await this.copy?.abort();
    if (!this.isCommitted || this.path === null) return;
    const { files, path } = this.place.files.resolve(this.path);
    await files.delete(path);
  }

  private get inlineSizeBytesMax(): number {
    return this.path === null ? MEMORY_SIZE_BYTES_MAX : this.place.options.inlineSizeBytesMax;
  }

  private create(location: string): Promise<FileWriter> {
    const { files, path } = this.place.files.resolve(location);
    this.copy = this.place.copyOf(this.name);
    return files.create(path);
  }

  private tooLarge(): ClusterError {
    return new ClusterError(
      'STATE_TOO_LARGE',
      `the state of the subtask is larger than the ${MEMORY_SIZE_BYTES_MAX} bytes that checkpoints in the JobManager's memory may have: ` +
        'set execution.checkpointing.dir',
    );
  }
}
