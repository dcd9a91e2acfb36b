/**
 * The data-plane sockets of one TaskManager: a listener, and one TCP connection to each TaskManager that
 * shares a channel with this one. The TaskManager with the lesser resource id dials, so that two never
 * dial each other; the first message either way is HELLO, and what does not begin so is hung up on.
 */
import { createServer, Socket, type Server } from 'node:net';
import { assert } from '../base/assert.ts';
import type { Logger } from '../base/log.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { TaskLocation } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { PeerLink, Pipe } from './peer-link.ts';
import { parseHello } from './remote-channel.ts';
import * as wire from './wire.ts';

/** Accepted connections, HELLO or not. */
export const CONNECTIONS_MAX = 1024;
/** A connection that has not said HELLO by then is closed. */
const HELLO_TIMEOUT_MS = 5_000;
/** Deadline of one attempt to connect, and how often and how many times it is made. */
export const CONNECT_TIMEOUT_MS = 5_000;
const CONNECT_RETRY_MS = 200;
const CONNECT_ATTEMPTS_MAX = 50;

/** What a transport needs. */
export interface TransportOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The link to a TaskManager that has dialled us; made when there is none. */
  linkTo(resourceId: string): PeerLink;
}

/** Sockets only: what is sent over them is `PeerLink`'s. */
export class Transport {
  private readonly options: TransportOptions;
  private readonly server: Server;
  private readonly connections = new Set<Connection>();
  private readonly dialling = new Set<PeerLink>();
  private readonly retryTimers = new Set<Timer>();
  private isClosed = false;

  constructor(options: TransportOptions) {
    this.options = options;
    this.server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.accept(socket));
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** Answers the port in use. Throws PORT_IN_USE. */
  listen(bindAddress: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        const code = error.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'CONFIG_INVALID';
        const message = `taskmanager.data.port: cannot listen on ${bindAddress}:${port}: ${error.message}`;
        reject(new ClusterError(code, message, { cause: error }));
      });
      this.server.listen(port, bindAddress, () => {
        const address = this.server.address();
        assert(address !== null && typeof address === 'object', 'a TCP server has a port');
        resolve(address.port);
      });
    });
  }

  /** Connects `link` to `peer` unless it is, or is about to be. Gives up after `CONNECT_ATTEMPTS_MAX`; the link is then detached. */
  dial(link: PeerLink, peer: TaskLocation, own: TaskLocation): void {
    if (this.isClosed || link.isConnected || this.dialling.has(link)) return;
    this.dialling.add(link);
    this.attempt(link, { peer, own, attempt: 1 });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const timer of this.retryTimers) timer.cancel();
    for (const connection of this.connections) connection.end(new ClusterError('CONNECTION_LOST', 'this TaskManager is stopping'));
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private attempt(link: PeerLink, call: { readonly peer: TaskLocation; readonly own: TaskLocation; readonly attempt: number }): void {
    const { peer, own, attempt } = call;
    const socket = new Socket();
    const connection = this.track(new Connection(socket, this.options, {
      link,
      onReady: () => this.dialling.delete(link),
      onFailed: (error) => {
        const isLast = attempt === CONNECT_ATTEMPTS_MAX || this.isClosed;
        if (!isLast) return this.retry(() => this.attempt(link, { ...call, attempt: attempt + 1 }));
        this.dialling.delete(link);
        link.detach(lost(`cannot connect to TaskManager ${peer.resourceId} at ${peer.host}:${peer.dataPort}`, error));
      },
    }));
    const address = { port: peer.dataPort, host: peer.host, noDelay: true, keepAlive: true };
    socket.connect(address, () => connection.hello(own.resourceId, peer.resourceId));
  }

  private retry(again: () => void): void {
    const timer = this.options.clock.after(CONNECT_RETRY_MS, () => {
      this.retryTimers.delete(timer);
      again();
    });
    this.retryTimers.add(timer);
  }

  private accept(socket: Socket): void {
    this.track(new Connection(socket, this.options, null));
  }

  private track(connection: Connection): Connection {
    this.connections.add(connection);
    connection.onEnd = () => this.connections.delete(connection);
    return connection;
  }
}

/** The dialling side knows its link; the accepting side learns it from HELLO. */
interface Dialled {
  readonly link: PeerLink;
  onReady(): void;
  /** Before HELLO was answered. */
  onFailed(error: Error): void;
}

const SUPERSEDED = new ClusterError('CONNECTION_LOST', 'a newer connection has taken its place');

/** One socket. Ends at the first thing that is not as it must be. */
class Connection implements Pipe {
  onEnd: () => void = () => undefined;
  private readonly socket: Socket;
  private readonly options: TransportOptions;
  private readonly dialled: Dialled | null;
  private readonly deadline: Timer;
  private readonly reader: wire.WireReader;
  private link: PeerLink | null = null;
  private error: Error | null = null;
  private remote: string;

  constructor(socket: Socket, options: TransportOptions, dialled: Dialled | null) {
    this.socket = socket;
    this.options = options;
    this.dialled = dialled;
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.reader = new wire.WireReader({
      bufferOffset: () => {
        throw new ClusterError('DATA_CORRUPT', 'a buffer before HELLO');
      },
      memory: () => Buffer.alloc(0),
      onBuffer: () => undefined,
      onControl: (type, _channel, body) => this.onHello(type, body),
    });
    const limitMs = dialled === null ? HELLO_TIMEOUT_MS : CONNECT_TIMEOUT_MS;
    this.deadline = options.clock.after(limitMs, () => this.end(new ClusterError('DEADLINE_EXCEEDED', `no HELLO within ${limitMs} ms`)));
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('error', (error) => (this.error ??= error));
    socket.on('end', () => (this.error ??= new ClusterError('CONNECTION_LOST', 'the other side closed the connection')));
    socket.on('close', () => this.onClose());
  }

  hello(from: string, to: string): void {
    this.socket.write(wire.controlMessage(wire.HELLO, 0, { magic: wire.WIRE_MAGIC, version: wire.WIRE_VERSION, from, to }));
  }

  write(bytes: Buffer, done: (() => void) | null): void {
    if (done === null) this.socket.write(bytes);
    else this.socket.write(bytes, () => done());
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  end(error: Error): void {
    this.error ??= error;
    this.socket.destroy();
  }

  private onData(chunk: Buffer): void {
    if (this.socket.destroyed || (this.link !== null && !this.link.isPipe(this))) return this.end(SUPERSEDED);
    try {
      this.reader.feed(chunk);
    } catch (error) {
      this.options.log.warn(`Closing the data connection with ${this.remote}`, error);
      return this.end(error instanceof Error ? error : new Error(String(error)));
    }
    this.link?.pump();
  }

  private onHello(type: number, body: unknown): void {
    const hello = parseHello(body);
    if (type !== wire.HELLO || hello.magic !== wire.WIRE_MAGIC) throw new ClusterError('DATA_CORRUPT', 'the first message is not HELLO');
    if (hello.version !== wire.WIRE_VERSION) {
      const found = `protocol version ${String(hello.version)} is not ${wire.WIRE_VERSION}`;
      throw new ClusterError('DATA_CORRUPT', `${found}: are both TaskManagers of one release?`);
    }
    this.deadline.cancel();
    const link = this.dialled?.link ?? this.options.linkTo(hello.from);
    if (this.dialled === null) this.hello(hello.to, hello.from);
    if (link.isConnected) link.detach(lost(`TaskManager ${hello.from} has connected anew`));
    this.reader.handler = link;
    this.link = link;
    this.remote = `TaskManager ${hello.from}`;
    this.dialled?.onReady();
    link.attach(this);
  }

  private onClose(): void {
    this.deadline.cancel();
    this.onEnd();
    const error = this.error ?? new ClusterError('CONNECTION_LOST', 'the connection was closed');
    if (this.link === null) return this.dialled?.onFailed(error);
    if (this.link.isPipe(this)) this.link.detach(lost(`lost the connection to ${this.remote}: ${error.message}`, error));
  }
}

function lost(message: string, cause?: Error): ErrorInfo {
  return errorInfo(new ClusterError('CONNECTION_LOST', message, { cause }));
}
