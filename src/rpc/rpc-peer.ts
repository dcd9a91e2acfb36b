/**
 * One end of an RPC connection: calls and notifications both ways over one `Connection`.
 *
 * Every call has a deadline and an id; answers are matched by id; each frame carries the sender's term and
 * is judged by the `Fence` before anything reads its body. Frames that are not the protocol's close the
 * connection: a peer that garbles one frame cannot be trusted with the next.
 *
 * Invariants: a call settles exactly once (answer, fault, deadline or close); handlers run in the order of
 * arrival; at most `CALLS_IN_FLIGHT_MAX` calls wait in each direction.
 */
import { assert } from '../base/assert.ts';
import type { Logger } from '../base/log.ts';
import type { Clock, Timer } from '../base/ports.ts';
import { FRAME_KINDS, FRAME_VERSION, METHODS, frameCodec, fromJsonBytes, isMethod, jsonBytes } from '../protocol/control.ts';
import type { Frame, Method, RequestOf, ResponseOf } from '../protocol/control.ts';
import { ClusterError, errorFromInfo, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { Epoch } from '../protocol/ids.ts';
import type { Fence } from './fencing.core.ts';
import { MESSAGE_SIZE_BYTES_MAX, type Connection } from './transport.ts';

/** Calls that wait for an answer, per direction. */
const CALLS_IN_FLIGHT_MAX = 4096;
/** What a peer that does not read may pin before its connection is given up. */
const BUFFERED_BYTES_MAX = 4 * MESSAGE_SIZE_BYTES_MAX;

/** What this end answers. A method without handler is answered UNSUPPORTED. */
export type Handlers = { readonly [M in Method]?: (request: RequestOf<M>) => ResponseOf<M> | Promise<ResponseOf<M>> };

/** Frames that were dropped, since the connection began. */
export interface DroppedFrames {
  /** Of a term that is not obeyed. */
  fenced: number;
  /** Answers that came after the deadline. */
  late: number;
}

export interface RpcPeerOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly fence: Fence;
  readonly handlers: Handlers;
  /** Any frame that was admitted: a sign of life. */
  readonly onHeard: () => void;
  /** Once, when the connection is gone, whoever closed it. */
  readonly onClose: (reason: string) => void;
}

interface PendingCall {
  readonly method: Method;
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: ClusterError) => void;
  readonly deadline: Timer;
}

/** One end of a connection. Starts delivery when constructed. */
export class RpcPeer {
  readonly dropped: DroppedFrames = { fenced: 0, late: 0 };
  private readonly options: RpcPeerOptions;
  private readonly pending = new Map<number, PendingCall>();
  private answering = 0;
  private lastCall = 0;
  private closed = false;

  constructor(options: RpcPeerOptions) {
    this.options = options;
    options.connection.start({ onMessage: (bytes) => this.receive(bytes), onClose: (reason) => this.ended(reason) });
  }

  /** The other end, for logs. */
  get peer(): string {
    return this.options.connection.peer;
  }

  /** Throws DEADLINE_EXCEEDED, CONNECTION_LOST, OVERLOADED, FENCED, or what the handler threw. */
  async call<M extends Method>(method: M, request: RequestOf<M>, deadlineMs: number): Promise<ResponseOf<M>> {
    if (this.closed) throw this.lost(method, 'it was closed before');
    if (this.pending.size >= CALLS_IN_FLIGHT_MAX) {
      throw new ClusterError('OVERLOADED', `${method} to ${this.peer}: ${CALLS_IN_FLIGHT_MAX} calls wait for an answer already`);
    }
    const body = await new Promise<Uint8Array>((resolve, reject) => {
      const call = ++this.lastCall;
      const deadline = this.options.clock.after(deadlineMs, () => this.expire(call, deadlineMs));
      this.pending.set(call, { method, resolve, reject, deadline });
      this.sendFrame('request', { call, method, deadlineMs, body: encodeRequest(method, request) });
    });
    return METHODS[method].response.decode(body) as ResponseOf<M>;
  }

  /** Sends without an answer. Lost with the connection; the sender must be able to tell again. */
  notify<M extends Method>(method: M, request: RequestOf<M>): void {
    this.sendFrame('notify', { call: 0, method, deadlineMs: 0, body: encodeRequest(method, request) });
  }

  /** Idempotent. Calls in flight fail with CONNECTION_LOST. */
  close(reason: string): void {
    this.options.connection.close(reason);
    this.ended(reason);
  }

  private sendFrame(kind: keyof typeof FRAME_KINDS, fields: Pick<Frame, 'call' | 'method' | 'deadlineMs' | 'body'>): void {
    if (this.closed) return;
    const { epoch, incarnation } = this.options.fence.term;
    const bytes = frameCodec.encode({ version: FRAME_VERSION, kind: FRAME_KINDS[kind], epoch, incarnation, ...fields });
    if (bytes.length > MESSAGE_SIZE_BYTES_MAX) {
      throw new ClusterError('RECORD_TOO_LARGE', `${fields.method}: ${bytes.length} bytes are more than a message may hold`);
    }
    this.options.connection.send(bytes);
    if (this.options.connection.bufferedBytes > BUFFERED_BYTES_MAX) this.close('the peer does not read: too much is buffered');
  }

  private receive(bytes: Uint8Array): void {
    if (this.closed) return;
    const frame = decodeFrame(bytes);
    if (typeof frame === 'string') return this.refuse(frame);
    const isAnswer = frame.kind === FRAME_KINDS.response || frame.kind === FRAME_KINDS.fault;
    if (!isAnswer && !isMethod(frame.method)) return this.refuseMethod(frame);
    const method = isAnswer ? null : (frame.method as Method);
    if (!this.options.fence.admits({ epoch: frame.epoch as Epoch, incarnation: frame.incarnation }, method)) return this.dropFenced(frame);
    this.options.onHeard();
    if (method === null) this.settle(frame);
    else if (frame.kind === FRAME_KINDS.request) this.serve(method, frame);
    else this.takeNotification(method, frame);
  }

  private settle(frame: Frame): void {
    const call = this.pending.get(frame.call);
    if (!call) {
      this.dropped.late += 1;
      return;
    }
    this.pending.delete(frame.call);
    call.deadline.cancel();
    if (frame.kind === FRAME_KINDS.response) call.resolve(frame.body);
    else call.reject(faultOf(frame));
  }

  private serve(method: Method, frame: Frame): void {
    if (this.answering >= CALLS_IN_FLIGHT_MAX) return this.refuse(`more than ${CALLS_IN_FLIGHT_MAX} calls at once`);
    this.answering += 1;
    void this.handle(method, frame.body)
      .then((body) => this.sendFrame('response', { call: frame.call, method, deadlineMs: 0, body }))
      .catch((thrown: unknown) => this.fault(frame, thrown))
      .finally(() => (this.answering -= 1));
  }

  private takeNotification(method: Method, frame: Frame): void {
    void this.handle(method, frame.body).catch((thrown: unknown) => {
      this.options.log.warn(`Notification ${method} from ${this.peer} failed.`, thrown);
    });
  }

  /** The handler runs before this returns its promise, so order of arrival is order of handling. */
  private async handle(method: Method, body: Uint8Array): Promise<Uint8Array> {
    const handler = this.options.handlers[method] as ((request: unknown) => unknown) | undefined;
    if (!handler) throw new ClusterError('UNSUPPORTED', `${method} is not answered here`);
    const response = (await handler(decodeRequest(method, body))) as never;
    return METHODS[method].response.encode(response);
  }

  private fault(frame: Frame, thrown: unknown): void {
    const info = errorInfo(thrown, 'INTERNAL');
    this.sendFrame('fault', { call: frame.call, method: frame.method, deadlineMs: 0, body: jsonBytes(info) });
  }

  private refuseMethod(frame: Frame): void {
    if (frame.kind === FRAME_KINDS.request) {
      this.fault(frame, new ClusterError('UNSUPPORTED', `${frame.method.slice(0, 64)} is not a method of this version`));
    }
    else this.refuse(`unknown notification ${JSON.stringify(frame.method.slice(0, 64))}`);
  }

  private dropFenced(frame: Frame): void {
    this.dropped.fenced += 1;
    if (frame.kind !== FRAME_KINDS.request) return;
    const { epoch } = this.options.fence.term;
    this.fault(frame, new ClusterError('FENCED', `${frame.method} of epoch ${frame.epoch} was refused: the term here has epoch ${epoch}`));
  }

  private refuse(why: string): void {
    this.options.log.warn(`Closing the connection of ${this.peer}: ${why}.`);
    this.close(why);
  }

  private expire(call: number, deadlineMs: number): void {
    const pending = this.pending.get(call);
    assert(pending, 'a deadline is cancelled with its call');
    this.pending.delete(call);
    pending.reject(new ClusterError('DEADLINE_EXCEEDED', `${pending.method} to ${this.peer} was not answered within ${deadlineMs} ms`));
  }

  private ended(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    for (const call of this.pending.values()) {
      call.deadline.cancel();
      call.reject(this.lost(call.method, reason));
    }
    this.pending.clear();
    this.options.onClose(reason);
  }

  private lost(method: Method, reason: string): ClusterError {
    return new ClusterError('CONNECTION_LOST', `${method} to ${this.peer}: the connection is gone (${reason})`);
  }
}

function encodeRequest<M extends Method>(method: M, request: RequestOf<M>): Uint8Array {
  return METHODS[method].request.encode(request as never);
}

function decodeRequest(method: Method, body: Uint8Array): unknown {
  try {
    return METHODS[method].request.decode(body);
  } catch (thrown) {
    throw new ClusterError('BAD_REQUEST', `${method}: its message cannot be decoded`, { cause: thrown });
  }
}

/** The frame, or why it is none. */
function decodeFrame(bytes: Uint8Array): Frame | string {
  try {
    const frame = frameCodec.decode(bytes);
    return frame.version === FRAME_VERSION ? frame : `frame version ${frame.version} is not ${FRAME_VERSION}`;
  } catch {
    return 'a frame that cannot be decoded';
  }
}

function faultOf(frame: Frame): ClusterError {
  try {
    return errorFromInfo(fromJsonBytes<ErrorInfo>(frame.body));
  } catch (thrown) {
    return new ClusterError('CONNECTION_LOST', `${frame.method}: the peer's fault cannot be decoded`, { cause: thrown });
  }
}
