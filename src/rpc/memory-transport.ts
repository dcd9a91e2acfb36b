/** Connections inside one process, for MiniCluster. Messages arrive in a microtask, in order, and are not copied. */
import { ClusterError } from '../protocol/errors.ts';
import {
  spellAddress,
  type Connection,
  type ConnectionListener,
  type RpcAddress,
  type RpcListener,
  type RpcTransport,
} from './transport.ts';

/** First port handed out when 0 is asked for. No socket is bound: the number only names the listener. */
const FIRST_PORT = 1;

/** A transport whose listeners are visible to its own `connect` only. */
export class MemoryTransport implements RpcTransport {
  private readonly listeners = new Map<number, (connection: Connection) => void>();
  private nextPort = FIRST_PORT;

  connect(address: RpcAddress): Promise<Connection> {
    const accept = this.listeners.get(address.port);
    if (!accept) return Promise.reject(new ClusterError('CONNECTION_LOST', `nothing listens at ${spellAddress(address)}`));
    const [near, far] = memoryPair(spellAddress(address));
    accept(far);
    return Promise.resolve(near);
  }

  listen(address: RpcAddress, onConnection: (connection: Connection) => void): Promise<RpcListener> {
    const port = address.port === 0 ? this.nextPort++ : address.port;
    if (this.listeners.has(port)) return Promise.reject(new ClusterError('PORT_IN_USE', `port ${port} is taken`));
    const accepted = new Set<Connection>();
    this.listeners.set(port, (connection) => {
      accepted.add(connection);
      onConnection(connection);
    });
    return Promise.resolve({
      address: { host: address.host, port },
      close: () => {
        this.listeners.delete(port);
        for (const connection of accepted) connection.close('the listener was closed');
        return Promise.resolve();
      },
    });
  }
}

/** Two connected ends. */
export function memoryPair(peer: string): readonly [Connection, Connection] {
  const near = new MemoryConnection(peer);
  const far = new MemoryConnection('memory');
  near.other = far;
  far.other = near;
  return [near, far];
}

class MemoryConnection implements Connection {
  readonly peer: string;
  readonly bufferedBytes = 0;
  other: MemoryConnection | null = null;
  private listener: ConnectionListener | null = null;
  private readonly early: Uint8Array[] = [];
  private closeReason: string | null = null;

  constructor(peer: string) {
    this.peer = peer;
  }

  start(listener: ConnectionListener): void {
    this.listener = listener;
    for (const bytes of this.early.splice(0)) this.deliver(bytes);
    const { closeReason } = this;
    if (closeReason !== null) queueMicrotask(() => listener.onClose(closeReason));
  }

  send(bytes: Uint8Array): void {
    if (this.closeReason === null) this.other?.deliver(bytes);
  }

  close(reason: string): void {
    this.end(reason);
    const { other } = this;
    queueMicrotask(() => other?.end(reason)); // After what was sent before.
  }

  private deliver(bytes: Uint8Array): void {
    const { listener } = this;
    if (!listener) this.early.push(bytes);
    else queueMicrotask(() => this.closeReason === null && listener.onMessage(bytes));
  }

  private end(reason: string): void {
    if (this.closeReason !== null) return;
    this.closeReason = reason;
    const { listener } = this;
    if (listener) queueMicrotask(() => listener.onClose(reason));
  }
}
