/**
 * Records by key group, so that state can be made of them one group after the other. What does not fit into memory goes to files,
 * run by run; each run holds the records of all groups, one group behind the other.
 */
import { writing, StateFileWriter } from './state-bytes.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { ByteReader } from '../types/byte-reader.ts';
import { ByteWriter } from '../types/byte-writer.ts';
import { GenericCodec } from '../types/generic.ts';

/** What is held before it is written. */
const RUN_SIZE_BYTES = 32 * 1024 * 1024;

interface Bucket {
  readonly sink: ByteWriter;
  readonly codec: GenericCodec;
}

interface Run {
  readonly location: string;
  /** Bytes of each key group, `[start, end)`. */
  readonly places: ReadonlyMap<number, readonly [number, number]>;
}

export class RecordPartitions {
  private readonly files: FileSystems;
  private readonly prefix: string;
  private readonly runSizeBytes: number;
  private buckets = new Map<number, Bucket>();
  private readonly runs: Run[] = [];
  private heldBytes = 0;

  /** Files are named `<prefix>-<n>`. */
  constructor(files: FileSystems, prefix: string, runSizeBytes = RUN_SIZE_BYTES) {
    this.files = files;
    this.prefix = prefix;
    this.runSizeBytes = runSizeBytes;
  }

  async add(keyGroup: number, record: unknown): Promise<void> {
    let bucket = this.buckets.get(keyGroup);
    if (bucket === undefined) this.buckets.set(keyGroup, (bucket = { sink: new ByteWriter(), codec: new GenericCodec() }));
    const before = bucket.sink.position;
    bucket.codec.encode(record, bucket.sink);
    this.heldBytes += bucket.sink.position - before;
    if (this.heldBytes >= this.runSizeBytes) await this.spill();
  }

  /** The records of a group, in the order in which they were added. */
  async *of(keyGroup: number): AsyncGenerator {
    for (const { location, places } of this.runs) {
      const [start, end] = places.get(keyGroup) ?? [0, 0];
      if (start < end) yield* decoded(await this.read(location, start, end));
    }
    const held = this.buckets.get(keyGroup);
    if (held !== undefined) yield* decoded(held.sink.toBytes());
  }

  /** Deletes the files. */
  async close(): Promise<void> {
    for (const { location } of this.runs.splice(0)) {
      const { files, path } = this.files.resolve(location);
      await files.delete(path);
    }
  }

  private async spill(): Promise<void> {
    const location = `${this.prefix}-${this.runs.length}`;
    const places = new Map<number, readonly [number, number]>();
    await writing(await StateFileWriter.create(this.files, location), async (writer) => {
      for (const [keyGroup, { sink }] of this.buckets) {
        const start = writer.sizeBytes;
        await writer.write(sink.toBytes());
        places.set(keyGroup, [start, writer.sizeBytes]);
      }
    });
    this.runs.push({ location, places });
    this.buckets = new Map();
    this.heldBytes = 0;
  }

  private async read(location: string, startBytes: number, endBytes: number): Promise<Uint8Array> {
    const { files, path } = this.files.resolve(location);
    const chunks: Uint8Array[] = [];
    for await (const chunk of files.read(path, { startBytes, endBytes })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

function* decoded(bytes: Uint8Array): Generator {
  const [source, codec] = [new ByteReader(bytes), new GenericCodec()];
  while (source.position < source.end) yield codec.decode(source);
}
