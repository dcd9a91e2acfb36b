/**
 * The REST API from the client's side: one method a call, every call with a deadline. Errors are
 * `RestClientError`s: either an answer (`status`, the server's texts) or no answer (`status` 0, the reason).
 */
import { Agent, request as httpRequest } from 'node:http';
import type { SavepointWish } from '../protocol/checkpoint.ts';

/** A call that failed. `texts` are the server's, or one line that says why there was no answer. */
export class RestClientError extends Error {
  override readonly name = 'RestClientError';
  /** HTTP status; 0 when nothing answered. */
  readonly status: number;
  readonly texts: readonly string[];

  constructor(status: number, texts: readonly string[]) {
    super(texts[0] ?? `HTTP status ${status}`);
    this.status = status;
    this.texts = texts;
  }
}

/** A line of `GET /jobs/overview`. */
export interface JobLine {
  readonly jid: string;
  readonly name: string;
  readonly state: string;
  readonly 'start-time': number;
}

/** How a job ended. */
export interface ExecutionResult {
  readonly 'application-status': 'SUCCEEDED' | 'CANCELED' | 'FAILED' | 'UNKNOWN';
  readonly 'net-runtime': number;
  readonly 'failure-cause'?: { readonly class: string; readonly 'stack-trace': string };
}

/** An accumulator of a job. `type` is Flink's class, for example `LongCounter`. */
export interface AccumulatorLine {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

/** What an asynchronous operation failed with. */
export interface OperationFailure {
  readonly class: string;
  readonly 'stack-trace': string;
}

/** An asynchronous operation. Null while it runs; a failed one has a failure cause instead of `T`. */
export interface OperationStatus<T> {
  readonly operation: T | null;
}

/** What `POST /jars/:jarid/run` is told. */
export interface RunRequest {
  readonly programArgsList: readonly string[];
  readonly parallelism: number | null;
  readonly flinkConfiguration: Readonly<Record<string, string>>;
  readonly savepointPath: string | null;
  readonly allowNonRestoredState: boolean;
  readonly claimMode: string | null;
}

/** Where and how to call. */
export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  /** Deadline of one call, connection included. */
  readonly timeoutMs: number;
  /** Added to each request (`FLINK_REST_CLIENT_HEADERS`). */
  readonly headers: Readonly<Record<string, string>>;
}

/** Bound on an answer; `rest.client.max-content-length` of Flink. */
const ANSWER_SIZE_BYTES_MAX = 100 * 1024 * 1024;
/** How long one call may wait for the JobManager to build the graph, beyond its own work. */
const BOUNDARY = 'drey-program-boundary-5b7e21c0';

/** Talks to one JobManager. Connections are kept alive between calls; `close` drops them. */
export class RestClusterClient {
  private readonly options: ClientOptions;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(options: ClientOptions) {
    this.options = options;
  }

  get address(): string {
    return `http://${this.options.host}:${this.options.port}`;
  }

  async jobs(): Promise<readonly JobLine[]> {
    return (await this.call<{ jobs: JobLine[] }>('GET', '/v1/jobs/overview')).jobs;
  }

  async cancel(jobId: string): Promise<void> {
    await this.call('PATCH', `/v1/jobs/${jobId}?mode=cancel`);
  }

  /** Uploads a bundle; answers its jar id. Uploading the same bytes again is harmless. */
  async upload(fileName: string, code: Uint8Array): Promise<string> {
    const disposition = `Content-Disposition: form-data; name="jarfile"; filename="${fileName}"`;
    const head = `--${BOUNDARY}\r\n${disposition}\r\nContent-Type: application/x-java-archive\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(head), code, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
    const answer = await this.call<{ filename: string }>(
      'POST', '/v1/jars/upload', { type: `multipart/form-data; boundary=${BOUNDARY}`, body },
    );
    return answer.filename.slice(answer.filename.lastIndexOf('/') + 1);
  }

  /** Builds and submits an uploaded program; answers the job id. */
  async run(jarId: string, request: RunRequest): Promise<string> {
    return (await this.call<{ jobid: string }>('POST', `/v1/jars/${encodeURIComponent(jarId)}/run`, json(request))).jobid;
  }

  /** Null while the job runs. */
  async executionResult(jobId: string): Promise<ExecutionResult | null> {
    const answer = await this.call<{ status: { id: string }; 'job-execution-result'?: ExecutionResult }>(
      'GET', `/v1/jobs/${jobId}/execution-result`,
    );
    return answer['job-execution-result'] ?? null;
  }

  async accumulators(jobId: string): Promise<readonly AccumulatorLine[]> {
    const answer = await this.call<{ 'user-task-accumulators': AccumulatorLine[] }>('GET', `/v1/jobs/${jobId}/accumulators`);
    return answer['user-task-accumulators'];
  }

  /** Answers the id to poll with. */
  triggerSavepoint(jobId: string, { targetDirectory, format }: SavepointWish, cancelJob: boolean): Promise<string> {
    const request = { 'target-directory': targetDirectory, 'cancel-job': cancelJob, formatType: format };
    return this.trigger(`/v1/jobs/${jobId}/savepoints`, request);
  }

  triggerStop(jobId: string, { targetDirectory, format }: SavepointWish, drain: boolean): Promise<string> {
    return this.trigger(`/v1/jobs/${jobId}/stop`, { targetDirectory, drain, formatType: format });
  }

  savepointStatus(jobId: string, triggerId: string): Promise<OperationStatus<{ readonly location: string }>> {
    return this.call('GET', `/v1/jobs/${jobId}/savepoints/${triggerId}`);
  }

  triggerCheckpoint(jobId: string, full: boolean): Promise<string> {
    return this.trigger(`/v1/jobs/${jobId}/checkpoints`, { checkpointType: full ? 'FULL' : 'CONFIGURED' });
  }

  checkpointStatus(jobId: string, triggerId: string): Promise<OperationStatus<{ readonly checkpointId: number }>> {
    return this.call('GET', `/v1/jobs/${jobId}/checkpoints/${triggerId}`);
  }

  triggerDisposal(path: string): Promise<string> {
    return this.trigger('/v1/savepoint-disposal', { 'savepoint-path': path });
  }

  disposalStatus(triggerId: string): Promise<OperationStatus<Readonly<Record<string, never>>>> {
    return this.call('GET', `/v1/savepoint-disposal/${triggerId}`);
  }

  close(): void {
    this.agent.destroy();
  }

  private async trigger(path: string, request: object): Promise<string> {
    return (await this.call<{ 'request-id': string }>('POST', path, json(request)))['request-id'];
  }

  private async call<T>(method: string, path: string, content: Content | null = null): Promise<T> {
    const { status, text } = await this.exchange(method, path, content);
    const answer = parse(text);
    if (status >= 400 && answer !== null) throw new RestClientError(status, errorTexts(answer, text));
    if (answer === null) {
      const what = `${this.address}${path} answered with status ${status}, but not with JSON`;
      throw new RestClientError(status, [`${what}: is this a JobManager's REST port (rest.port)?`]);
    }
    return answer as T;
  }

  private exchange(method: string, path: string, content: Content | null): Promise<{ status: number; text: string }> {
    const { host, port, timeoutMs, headers } = this.options;
    const contentHeaders = content ? { 'Content-Type': content.type, 'Content-Length': content.body.length } : {};
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const request = { host, port, method, path, agent: this.agent, signal, headers: { ...headers, ...contentHeaders } };
      const sent = httpRequest(request, (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on('data', (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes > ANSWER_SIZE_BYTES_MAX) response.destroy(new Error(`the answer is larger than ${ANSWER_SIZE_BYTES_MAX} bytes`));
          chunks.push(chunk);
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
        response.on('error', (error) => reject(new RestClientError(0, [`${method} ${path}: ${error.message}`])));
      });
      sent.on(
        'error',
        (error) => reject(
          new RestClientError(
            0, [signal.aborted ? `${this.address}${path} did not answer within ${timeoutMs} ms.` : connectionText(error, this.options)],
          ),
        ),
      );
      sent.end(content?.body);
    });
  }
}

interface Content {
  readonly type: string;
  readonly body: Buffer;
}

function json(value: unknown): Content {
  return { type: 'application/json', body: Buffer.from(JSON.stringify(value)) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function errorTexts(answer: unknown, text: string): readonly string[] {
  if (typeof answer === 'object' && answer !== null && 'errors' in answer && Array.isArray(answer.errors)) return answer.errors.map(String);
  return [text.slice(0, 1000)];
}

/** Node's message, in the words that scripts for Flink look for. */
function connectionText(error: NodeJS.ErrnoException, { host, port }: ClientOptions): string {
  if (error.code === 'ECONNREFUSED') return `Connection refused: ${host}:${port}`;
  return `${host}:${port}: ${error.message}`;
}
