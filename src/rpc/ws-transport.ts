/**
 * RpcTransport over WebSocket. The limits below bound what a hostile or broken peer can pin: message size,
 * fragments per message, buffered chunks, time to shake hands. No compression (CPU, and memory per connection).
 *
 * Source: ws advisories CVE-2024-37890, CVE-2026-48779 (fragments), which set the limits.
 */
import type { IncomingMessage } from 'node:http';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { ClusterError } from '../protocol/errors.ts';
import {
  MESSAGE_SIZE_BYTES_MAX,
  spellAddress,
  type Connection,
  type ConnectionListener,
  type RpcAddress,
  type RpcListener,
  type RpcTransport,
} from './transport.ts';

const FRAGMENTS_MAX = 64;
const BUFFERED_CHUNKS_MAX = 1024;
/** Connections one listener holds: a TaskManager each, and room for half-open ones. */
const CONNECTIONS_MAX = 1024;
/** Sent in the handshake: a browser cannot choose it, and another program's socket is refused before a frame is read. */
const SUBPROTOCOL = 'drey.control.v1';
/** Time between asking the peer to close and cutting the socket; kept by ws. */
const CLOSE_WAIT_MS = 500;
/** WebSocket close reasons are at most 123 bytes. */
const CLOSE_REASON_LENGTH_MAX = 100;

const LIMITS = {
  maxPayload: MESSAGE_SIZE_BYTES_MAX,
  maxFragments: FRAGMENTS_MAX,
  maxBufferedChunks: BUFFERED_CHUNKS_MAX,
  perMessageDeflate: false,
  closeTimeout: CLOSE_WAIT_MS,
} as const;

/** WebSocket connections. */
export const wsTransport: RpcTransport = {
  connect(address, timeoutMs): Promise<Connection> {
    const socket = new WebSocket(
      `ws://${urlHost(address)}/`, SUBPROTOCOL, { ...LIMITS, handshakeTimeout: timeoutMs, followRedirects: false },
    );
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        socket.removeAllListeners('error');
        resolve(new WsConnection(socket, spellAddress(address)));
      });
      socket.once('error', (error) => reject(connectFault(address, error)));
    });
  },

  listen(address, onConnection): Promise<RpcListener> {
    const server = new WebSocketServer({
      host: address.host,
      port: address.port,
      ...LIMITS,
      clientTracking: true,
      verifyClient: (info: { origin?: string; req: IncomingMessage }) => isWelcome(info.req, info.origin, server.clients.size),
    });
    server.on('connection', (socket, request) => {
      onConnection(new WsConnection(socket, `${request.socket.remoteAddress ?? 'unknown'}:${request.socket.remotePort ?? 0}`));
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(listenFault(address, error)));
      server.once('listening', () => resolve(listenerOf(server, address.host)));
    });
  },
};

/** Browsers send an Origin, TaskManagers do not: a page must not be able to talk to a JobManager on localhost. */
function isWelcome(request: IncomingMessage, origin: string | undefined, connectionCount: number): boolean {
  return origin === undefined && request.headers['sec-websocket-protocol'] === SUBPROTOCOL && connectionCount < CONNECTIONS_MAX;
}

function listenerOf(server: WebSocketServer, host: string): RpcListener {
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  server.on('error', () => server.clients.forEach((client) => client.terminate()));
  return {
    address: { host, port },
    close: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };
}

function urlHost(address: RpcAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : spellAddress(address);
}

function connectFault(address: RpcAddress, error: Error): ClusterError {
  const late = error.message.includes('handshake has timed out');
  const text = `could not connect to ${spellAddress(address)}: ${error.message || error.name}`;
  return new ClusterError(late ? 'DEADLINE_EXCEEDED' : 'CONNECTION_LOST', text, { cause: error });
}

function listenFault(address: RpcAddress, error: NodeJS.ErrnoException): ClusterError {
  if (error.code !== 'EADDRINUSE') {
    const advice = 'bind to an address of this host (jobmanager.bind-host)';
    return new ClusterError('CONFIG_INVALID', `cannot listen at ${spellAddress(address)}: ${error.message}; ${advice}`, { cause: error });
  }
  const text = `port ${address.port} at ${address.host} is taken by another process; stop it, or choose another port (jobmanager.rpc.port)`;
  return new ClusterError('PORT_IN_USE', text, { cause: error });
}

class WsConnection implements Connection {
  readonly peer: string;
  private readonly socket: WebSocket;
  private reason: string | null = null;

  constructor(socket: WebSocket, peer: string) {
    this.socket = socket;
    this.peer = peer;
    socket.pause();
    // A peer that breaks the protocol or its limits: ws closes the socket and says why here.
    socket.on('error', (error) => (this.reason ??= error.message));
  }

  start(listener: ConnectionListener): void {
    this.socket.on('message', (data, isBinary) => {
      if (isBinary) listener.onMessage(bytesOf(data));
      else this.close('text messages are not part of the protocol');
    });
    this.socket.once('close', (code, reason) => listener.onClose(this.reason ?? (reason.toString() || `closed with code ${code}`)));
    this.socket.resume();
  }

  send(bytes: Uint8Array): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes, { binary: true });
  }

  get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  close(reason: string): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.socket.resume(); // A paused socket never sees the peer's answer to the close.
    this.socket.close(1000, reason.slice(0, CLOSE_REASON_LENGTH_MAX));
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
