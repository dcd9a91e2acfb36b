/**
 * RpcTransport: the port through which RPC reaches other processes. Three implementations: WebSocket
 * (ws-transport.ts), in memory (memory-transport.ts, MiniCluster) and simulated (test/sim).
 *
 * A connection delivers whole messages in order, or it closes; it never delivers part of one, nor one twice.
 */

/** Where a JobManager listens. */
export interface RpcAddress {
  readonly host: string;
  readonly port: number;
}

/** Spells an address for messages. */
export function spellAddress(address: RpcAddress): string {
  return `${address.host}:${address.port}`;
}

/** What one end learns. Set by `Connection.start`. */
export interface ConnectionListener {
  onMessage(bytes: Uint8Array): void;
  /** Once, also after the own `close`. Nothing follows. */
  onClose(reason: string): void;
}

/** One end of an established connection. */
export interface Connection {
  /** The other end, for logs. */
  readonly peer: string;
  /** Begins delivery; messages that came before wait for it. Called once. */
  start(listener: ConnectionListener): void;
  /** Queues one message. After close it is dropped. */
  send(bytes: Uint8Array): void;
  /** Bytes queued and not yet handed to the operating system. */
  readonly bufferedBytes: number;
  /** Idempotent. */
  close(reason: string): void;
}

/** A listening socket. */
export interface RpcListener {
  /** With the port in use when 0 was asked for. */
  readonly address: RpcAddress;
  /** Stops listening and closes the connections it accepted. */
  close(): Promise<void>;
}

/** Makes connections. */
export interface RpcTransport {
  /** Throws CONNECTION_LOST when nothing listens there, DEADLINE_EXCEEDED after `timeoutMs`. */
  connect(address: RpcAddress, timeoutMs: number): Promise<Connection>;
  /** `port` 0 picks a free one. Throws PORT_IN_USE. */
  listen(address: RpcAddress, onConnection: (connection: Connection) => void): Promise<RpcListener>;
}

/** Bound of one message, both directions. A larger one closes the connection. */
export const MESSAGE_SIZE_BYTES_MAX = 32 * 1024 * 1024;
