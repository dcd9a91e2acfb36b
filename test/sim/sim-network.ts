/**
 * A network on virtual time. It keeps the promise of a transport (whole messages, in order, or the
 * connection closes) and breaks everything that a transport does not promise: messages take time, links
 * are cut in one or both directions, connections are reset, hosts vanish without a word.
 *
 * A cut link holds what is sent over it; healing delivers it, unless somebody gave up before.
 */
import { ClusterError } from '../../src/protocol/errors.ts';
import { spellAddress, type Connection, type ConnectionListener, type RpcAddress, type RpcListener, type RpcTransport } from '../../src/rpc/transport.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-time.ts';

/** Longest time of flight of one message. */
const FLIGHT_MS_MAX = 8;

/** All hosts and the links between them. */
export class SimNetwork {
  private readonly clock: VirtualClock;
  private readonly random: SeededRandom;
  private readonly listeners = new Map<string, { host: string; accept: (connection: Connection) => void }>();
  private readonly connections = new Set<SimConnection>();
  private readonly cuts = new Set<string>();
  private nextPort = 20_000;

  constructor(clock: VirtualClock, random: SeededRandom) {
    this.clock = clock;
    this.random = random;
  }

  /** The network as one host sees it. */
  transport(host: string): RpcTransport {
    return {
      connect: (address, timeoutMs) => this.connect(host, address, timeoutMs),
      listen: (address, onConnection) => this.listen(host, address, onConnection),
    };
  }

  /** Messages from `source` to `target` are held from now on. */
  cut(source: string, target: string): void {
    this.cuts.add(`${source}>${target}`);
  }

  /** Delivers what was held. */
  heal(): void {
    this.cuts.clear();
    for (const connection of this.connections) connection.pump();
  }

  /** Every connection between the two hosts breaks; both ends hear of it. */
  reset(a: string, b: string): void {
    for (const connection of [...this.connections]) {
      if ((connection.host === a && connection.other?.host === b) || (connection.host === b && connection.other?.host === a)) connection.close('connection reset');
    }
  }

  /** The process on `host` is gone: its peers hear at once (a killed process closes its sockets), its listeners refuse. */
  kill(host: string): void {
    for (const [address, listener] of this.listeners) if (listener.host === host) this.listeners.delete(address);
    for (const connection of [...this.connections]) if (connection.host === host) connection.vanish();
  }

  isCut(source: string, target: string): boolean {
    return this.cuts.has(`${source}>${target}`);
  }

  flightMs(): number {
    return this.random.unit() * FLIGHT_MS_MAX;
  }

  after(delayMs: number, callback: () => void): void {
    this.clock.after(delayMs, callback);
  }

  forget(connection: SimConnection): void {
    this.connections.delete(connection);
  }

  private connect(host: string, address: RpcAddress, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const deadline = this.clock.after(timeoutMs, () => reject(new ClusterError('DEADLINE_EXCEEDED', `connecting to ${spellAddress(address)} took over ${timeoutMs} ms`)));
      this.after(this.flightMs(), () => {
        const listener = this.listeners.get(spellAddress(address));
        if (listener && (this.isCut(host, listener.host) || this.isCut(listener.host, host))) return; // The deadline answers.
        deadline.cancel();
        if (!listener) return reject(new ClusterError('CONNECTION_LOST', `connection refused: ${spellAddress(address)}`));
        const near = new SimConnection(this, host, spellAddress(address));
        const far = new SimConnection(this, listener.host, host);
        near.other = far;
        far.other = near;
        this.connections.add(near).add(far);
        listener.accept(far);
        resolve(near);
      });
    });
  }

  private listen(host: string, address: RpcAddress, accept: (connection: Connection) => void): Promise<RpcListener> {
    const bound = { host: address.host, port: address.port === 0 ? this.nextPort++ : address.port };
    const key = spellAddress(bound);
    if (this.listeners.has(key)) return Promise.reject(new ClusterError('PORT_IN_USE', `${key} is taken`));
    this.listeners.set(key, { host, accept });
    return Promise.resolve({
      address: bound,
      close: () => {
        this.listeners.delete(key);
        for (const connection of [...this.connections]) if (connection.host === host) connection.close('the listener was closed');
        return Promise.resolve();
      },
    });
  }
}

class SimConnection implements Connection {
  readonly host: string;
  readonly peer: string;
  readonly bufferedBytes = 0;
  other: SimConnection | null = null;
  private readonly network: SimNetwork;
  private readonly inbox: Uint8Array[] = [];
  private listener: ConnectionListener | null = null;
  private closeReason: string | null = null;
  /** Set when the other end has closed: told after everything it sent before. */
  private hangup: string | null = null;
  private isPumping = false;

  constructor(network: SimNetwork, host: string, peer: string) {
    this.network = network;
    this.host = host;
    this.peer = peer;
  }

  start(listener: ConnectionListener): void {
    this.listener = listener;
    this.pump();
  }

  send(bytes: Uint8Array): void {
    if (this.closeReason === null) this.other?.receive(bytes.slice());
  }

  close(reason: string): void {
    this.end(reason);
    this.other?.hearHangup(reason);
  }

  /** The process is gone: nothing is told here, the other end hears of it. */
  vanish(): void {
    this.closeReason = 'the process was killed';
    this.network.forget(this);
    this.other?.hearHangup('connection reset by peer');
  }

  /** Delivers the oldest message after its flight, then the next; stops at a cut. */
  pump(): void {
    if (this.isPumping || !this.listener || this.closeReason !== null) return;
    if (this.inbox.length === 0 && this.hangup === null) return;
    if (this.network.isCut(this.other?.host ?? '', this.host)) return;
    this.isPumping = true;
    this.network.after(this.network.flightMs(), () => {
      this.isPumping = false;
      if (this.closeReason !== null || this.network.isCut(this.other?.host ?? '', this.host)) return;
      const bytes = this.inbox.shift();
      if (bytes) this.listener?.onMessage(bytes);
      else if (this.hangup !== null) this.end(this.hangup);
      this.pump();
    });
  }

  private receive(bytes: Uint8Array): void {
    this.inbox.push(bytes);
    this.pump();
  }

  private hearHangup(reason: string): void {
    this.hangup ??= reason;
    this.pump();
  }

  private end(reason: string): void {
    if (this.closeReason !== null) return;
    this.closeReason = reason;
    this.network.forget(this);
    this.listener?.onClose(reason);
  }
}
