/**
 * Compressed files, told by their names as Flink tells them: `.gz` and `.gzip`, `.deflate` (zlib), `.zst` where this Node.js
 * has it (22.15 and newer). They can only be read from their beginning.
 */
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { ClusterError } from '../protocol/errors.ts';

type Decompressor = NodeJS.ReadWriteStream & { destroy(): void };

const ZSTD = 'createZstdDecompress';

const DECOMPRESSORS: Readonly<Record<string, (() => Decompressor) | undefined>> = {
  gz: () => zlib.createGunzip(),
  gzip: () => zlib.createGunzip(),
  deflate: () => zlib.createInflate(),
  zst: ZSTD in zlib ? (zlib as unknown as Readonly<Record<string, () => Decompressor>>)[ZSTD] : undefined,
};

/**
 * What the compressed `chunks` hold. Throws DATA_CORRUPT naming the file and the byte of what it holds, UNSUPPORTED for
 * compressions that are not there.
 */
export async function* decompressed(path: string, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const open = DECOMPRESSORS[suffixOf(path)];
  if (open === undefined) {
    const message = `cannot read ${path}: this Node.js does not know its compression; .gz and .deflate work everywhere`;
    throw new ClusterError('UNSUPPORTED', message);
  }
  const stream = open();
  let failure: unknown = null;
  const source = Readable.from(chunks);
  source.once('error', (thrown) => {
    failure = thrown;
    stream.destroy();
  });
  source.pipe(stream);
  let offsetBytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      offsetBytes += chunk.length;
      yield chunk;
    }
  } catch (thrown) {
    if (failure !== null) throw failure;
    const message = `${path}: what is compressed is damaged or cut off behind byte ${offsetBytes} of its content: ${String(thrown)}`;
    throw new ClusterError('DATA_CORRUPT', message, { cause: thrown });
  } finally {
    source.destroy();
    stream.destroy();
  }
  if (failure !== null) throw failure;
}

function suffixOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1).toLowerCase();
}
