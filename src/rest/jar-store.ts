/**
 * Uploaded programs: files in `web.upload.dir/flink-web-upload`, named `<uuid>_<name>` as Flink names jars.
 * Unlike Flink: a program is a bundled ES module, and the uuid is made of its content hash, so that
 * uploading the same program again changes nothing and needs no clean-up.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/ports.ts';
import { ClusterError } from '../protocol/errors.ts';
import { storageFault } from '../storage/storage-fault.ts';
import { RequestError, badRequest } from './answers.ts';

/** Endings a program may have. `.jar` is accepted so that tools which insist on it work; the content must be a bundle. */
const PROGRAM_NAME = /^[\w][\w .+-]{0,150}\.(mjs|js|jar)$/;
const JAR_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_(.+)$/;
/** First bytes of a zip archive: a real Java archive. */
const ZIP_MAGIC = Buffer.from('PK\u0003\u0004', 'latin1');

/** One uploaded program. */
export interface UploadedJar {
  readonly id: string;
  readonly name: string;
  readonly uploadedAtMs: number;
}

/** The upload directory. Every id that comes from outside is matched against the ids' form before it becomes a path. */
export class JarStore {
  readonly directory: string;
  private readonly random: Random;

  constructor(uploadDirectory: string, random: Random) {
    this.directory = join(uploadDirectory, 'flink-web-upload');
    this.random = random;
  }

  /** Makes the directory, so that one that cannot be written is told at start. Throws a storage fault that names `web.upload.dir`. */
  async prepare(log: Logger): Promise<void> {
    const { directory } = this;
    if (existsSync(directory)) return log.info(`Using directory ${directory} for file uploads.`);
    log.info(`Upload directory ${directory} does not exist. `);
    await mkdir(directory, { recursive: true }).catch((thrown: unknown) => {
      const { code, message } = storageFault('create', directory, thrown);
      throw new ClusterError(code, `${message} (set web.upload.dir)`, { cause: thrown });
    });
    log.info(`Created directory ${directory} for file uploads.`);
  }

  /** Streams an upload to disk; answers the file's path. Throws 400 for names and contents that are not programs. */
  async add(fileName: string, content: Readable): Promise<string> {
    const name = basename(fileName.replaceAll('\\', '/'));
    if (!PROGRAM_NAME.test(name)) {
      content.resume();
      throw badRequest(
        `Only Jar files are allowed. (A program is a bundled ES module named *.mjs, *.js or *.jar; this upload is named ${JSON.stringify(name)}.)`,
      );
    }
    await mkdir(this.directory, { recursive: true }).catch((thrown: unknown) => {
      content.resume(); // Nobody is answered before the request has been read.
      throw storageFault('create', this.directory, thrown);
    });
    const temporary = join(this.directory, `.${this.random.hex(8)}.uploading`);
    try {
      const hash = await this.receive(content, temporary).catch((thrown: unknown) => {
        throw thrown instanceof RequestError ? thrown : storageFault('write', temporary, thrown);
      });
      const path = join(this.directory, `${uuidOf(hash)}_${name}`);
      await rename(temporary, path);
      return path;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Newest first. */
  async list(): Promise<UploadedJar[]> {
    const names = await readdir(this.directory).catch(() => []);
    const jars: UploadedJar[] = [];
    for (const id of names) {
      const form = JAR_ID.exec(id);
      const found = form && (await stat(join(this.directory, id)).catch(() => null));
      if (found) jars.push({ id, name: form[2] ?? id, uploadedAtMs: Math.floor(found.mtimeMs) });
    }
    return jars.sort((a, b) => b.uploadedAtMs - a.uploadedAtMs);
  }

  /** The program's bytes. Throws 400 when there is no such upload. */
  async read(id: string): Promise<Buffer> {
    return readFile(this.pathOf(id)).catch((cause: unknown) => {
      throw missing(id, this.directory, cause);
    });
  }

  /** Throws 400 when there is no such upload. */
  async remove(id: string): Promise<void> {
    await rm(this.pathOf(id)).catch((cause: unknown) => {
      throw missing(id, this.directory, cause);
    });
  }

  private pathOf(id: string): string {
    if (!JAR_ID.test(id) || basename(id) !== id || id.includes('\0')) throw missing(id, this.directory, null);
    return join(this.directory, id);
  }

  private async receive(content: Readable, path: string): Promise<string> {
    const hash = createHash('sha256');
    let first = true;
    content.on('data', (chunk: Buffer) => {
      if (first && chunk.subarray(0, ZIP_MAGIC.length).equals(ZIP_MAGIC)) {
        content.destroy(
          badRequest('This is a Java archive: Drey runs programs in TypeScript, bundled into one ES module (`flink run` does that).'),
        );
      }
      first = false;
      hash.update(chunk);
    });
    await pipeline(content, createWriteStream(path, { flags: 'wx' }));
    return hash.digest('hex');
  }
}

function uuidOf(hash: string): string {
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join('-');
}

function missing(id: string, directory: string, cause: unknown): RequestError {
  const error = badRequest(`File ${id} does not exist in ${directory}.`);
  if (cause !== null) error.cause = cause;
  return error;
}
