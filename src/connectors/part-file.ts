/**
 * One part file of the file sink, from its first row until it is pending:
 *
 *     append … ─► in progress (seen by nobody) ── finish ──► pending, `.part-<uid>-<n>.inprogress.<hex>`
 *                         └───── discard ──► nothing                └── commit (file-sink.ts) ──► `part-<uid>-<n>`
 *
 * A pending file is complete and durable.
 */
import type { FileSystem } from '../storage/file-system.ts';
import { GatheredLines } from './gathered-lines.ts';

/** Where a part file goes. */
export interface PartPlace {
  readonly files: FileSystem;
  /** The hidden name's path in `files`. */
  readonly path: string;
}

export class PartFile {
  readonly createdMs: number;
  private readonly place: PartPlace;
  private readonly rows: GatheredLines;
  private isPending = false;

  constructor(place: PartPlace, createdMs: number) {
    this.place = place;
    this.createdMs = createdMs;
    this.rows = new GatheredLines(place.files.create(place.path));
  }

  get sizeBytes(): number {
    return this.rows.sizeBytes;
  }

  /** Adds a row. A promise means that storage is behind. */
  append(row: string): void | Promise<void> {
    return this.rows.append(row);
  }

  /** Makes the file pending. */
  async finish(): Promise<void> {
    await this.rows.commit();
    this.isPending = true;
  }

  /** Removes the file, also when it is pending. Never throws: a hidden file that stays does no harm. */
  async discard(): Promise<void> {
    await this.rows.abort().catch(() => undefined);
    if (this.isPending) await this.place.files.delete(this.place.path).catch(() => false);
  }
}
