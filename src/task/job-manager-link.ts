/**
 * The TaskManager's end of its one connection to the JobManager: the shell around registration, with
 * heartbeats in both directions and the fence that refuses older leaders.
 */
import { unreachable } from '../base/assert.ts';
import type { Logger, LoggerSource } from '../base/log.ts';
import type { Ports, Timer } from '../base/ports.ts';
import type { LeaderRetrieval } from '../ha/high-availability.ts';
import type { Method, RequestOf, ResponseOf } from '../protocol/control.ts';
import { ClusterError, errorInfo } from '../protocol/errors.ts';
import type { Epoch } from '../protocol/ids.ts';
import { FollowerFence, type EpochMemory } from '../rpc/fencing.core.ts';
import { HeartbeatCore } from '../rpc/heartbeat.core.ts';
import { RpcPeer, type Handlers } from '../rpc/rpc-peer.ts';
import { spellAddress, type Connection, type RpcAddress, type RpcTransport } from '../rpc/transport.ts';
import { RegistrationCore, type RegistrationEffect, type RegistrationEvent, type RegistrationOptions } from './registration.core.ts';

export interface JobManagerLinkOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly transport: RpcTransport;
  readonly retrieval: LeaderRetrieval;
  readonly registration: RegistrationOptions;
  readonly handlers: Handlers;
  /** Everything this TaskManager is and runs, as of now. */
  readonly describe: () => Omit<RequestOf<'registerTaskManager'>, 'highestEpoch'>;
  readonly heartbeat: () => RequestOf<'heartbeat'>;
  /** The JobManager is out of touch; tasks run on. */
  readonly onLost: () => void;
}

interface Session {
  readonly attempt: number;
  readonly connection: Connection;
  peer: RpcPeer | null;
  heartbeat: HeartbeatCore | null;
  timer: Timer | null;
}

export class JobManagerLink {
  private readonly options: JobManagerLinkOptions;
  private readonly core: RegistrationCore;
  private readonly memory: EpochMemory = { highestEpoch: 0 as Epoch };
  private readonly log: Logger;
  private session: Session | null = null;
  private retry: Timer | null = null;
  private lastDial = 0;
  private closed = false;

  constructor(options: JobManagerLinkOptions) {
    this.options = options;
    this.core = new RegistrationCore(options.registration);
    this.log = options.loggers.logger('org.apache.flink.runtime.taskexecutor.TaskExecutor');
  }

  start(): void {
    this.options.retrieval.start({ leaderChanged: (leader) => this.apply({ kind: 'leaderChanged', leader }) });
  }

  /** Dropped while out of touch: the next registration tells everything. */
  notify<M extends Method>(method: M, request: RequestOf<M>): void {
    this.session?.peer?.notify(method, request);
  }

  /** Throws CONNECTION_LOST while out of touch. */
  async call<M extends Method>(method: M, request: RequestOf<M>, deadlineMs: number): Promise<ResponseOf<M>> {
    const peer = this.session?.peer;
    if (!peer) throw new ClusterError('CONNECTION_LOST', `${method}: no JobManager is connected`);
    return peer.call(method, request, deadlineMs);
  }

  /** Says goodbye, so that the JobManager need not wait for silence. */
  async close(reason: string): Promise<void> {
    this.closed = true;
    this.retry?.cancel();
    await this.options.retrieval.close();
    this.session?.peer?.notify('disconnect', { reason });
    this.hangUp(this.session, reason);
  }

  private apply(event: RegistrationEvent): void {
    if (this.closed) return;
    for (const effect of this.core.step(event)) this.perform(effect);
  }

  private perform(effect: RegistrationEffect): void {
    switch (effect.kind) {
      case 'dial':
        return this.dial(effect.attempt, effect.leader, effect.timeoutMs);
      case 'register':
        return this.register(effect.attempt, effect.timeoutMs);
      case 'hangUp':
        return this.session?.attempt === effect.attempt ? this.hangUp(this.session, effect.reason) : undefined;
      case 'startRetryTimer':
        this.retry = this.options.ports.clock.after(effect.delayMs, () => this.apply({ kind: 'retryDue', attempt: effect.attempt }));
        return;
      case 'registered':
        return;
      case 'lost':
        this.log.info(`Close ResourceManager connection: ${effect.reason}.`);
        return this.options.onLost();
      case 'retrying': {
        const address = resourceManagerAt(effect.leader);
        return this.log.info(`Could not resolve ResourceManager address ${address}, retrying in ${effect.delayMs} ms: ${effect.reason}.`);
      }
      default:
        return unreachable(effect, 'registration effect');
    }
  }

  private dial(attempt: number, leader: RpcAddress, timeoutMs: number): void {
    this.log.info(`Connecting to ResourceManager ${resourceManagerAt(leader)}.`);
    this.lastDial = attempt;
    void this.options.transport.connect(leader, timeoutMs).then(
      (connection) => this.connected(attempt, connection),
      (thrown: unknown) => this.apply({ kind: 'failed', attempt, reason: errorInfo(thrown).message, refused: false }),
    );
  }

  private connected(attempt: number, connection: Connection): void {
    if (this.closed || attempt !== this.lastDial) return connection.close('the attempt was given up');
    const session: Session = { attempt, connection, peer: null, heartbeat: null, timer: null };
    const superseded = this.session;
    this.session = session;
    session.peer = this.peerOf(session);
    this.apply({ kind: 'connected', attempt });
    if (superseded) this.hangUp(superseded, 'another connection took its place');
  }

  private peerOf(session: Session): RpcPeer {
    const { ports, handlers } = this.options;
    return new RpcPeer({
      connection: session.connection,
      clock: ports.clock,
      log: this.log,
      fence: new FollowerFence(this.memory),
      handlers: { ...handlers, heartbeat: () => ({}), disconnect: ({ reason }) => this.disconnected(session, reason) },
      onHeard: () => session.heartbeat?.heard(ports.clock.monotonicMs()),
      onClose: (reason) => this.ended(session, reason),
    });
  }

  private register(attempt: number, timeoutMs: number): void {
    const { session } = this;
    if (!session?.peer || session.attempt !== attempt) return;
    this.log.info('Resolved ResourceManager address, beginning registration');
    const request = { ...this.options.describe(), highestEpoch: this.memory.highestEpoch };
    void session.peer.call('registerTaskManager', request, timeoutMs).then(
      (response) => this.registered(session, response),
      (thrown: unknown) => {
        const { code, message } = errorInfo(thrown);
        const refused = code !== 'DEADLINE_EXCEEDED' && code !== 'CONNECTION_LOST';
        this.apply({ kind: 'failed', attempt, reason: message, refused });
      },
    );
  }

  private registered(session: Session, response: ResponseOf<'registerTaskManager'>): void {
    if (this.session !== session) return;
    const { clock } = this.options.ports;
    const options = { intervalMs: response.heartbeatIntervalMs, timeoutMs: response.heartbeatTimeoutMs };
    const address = resourceManagerAt(session.connection.peer);
    this.log.info(`Successful registration at resource manager ${address} under registration id ${response.instanceId}.`);
    session.heartbeat = new HeartbeatCore(options, clock.monotonicMs());
    session.timer = clock.every(options.intervalMs, () => this.tick(session, response.resourceManagerId));
    this.apply({ kind: 'accepted', attempt: session.attempt });
  }

  private tick(session: Session, resourceManagerId: string): void {
    if (session.heartbeat?.tick(this.options.ports.clock.monotonicMs()) === 'timedOut') {
      this.log.info(`The heartbeat of ResourceManager with id ${resourceManagerId} timed out.`);
      session.peer?.close('heartbeat timed out');
    } else {
      session.peer?.notify('heartbeat', this.options.heartbeat());
    }
  }

  private disconnected(session: Session, reason: string): ResponseOf<'disconnect'> {
    session.peer?.close(reason);
    return {};
  }

  private ended(session: Session, reason: string): void {
    session.timer?.cancel();
    if (this.session === session) this.session = null;
    this.apply({ kind: 'closed', attempt: session.attempt, reason });
  }

  private hangUp(session: Session | null, reason: string): void {
    session?.timer?.cancel();
    session?.peer?.close(reason);
  }
}

function resourceManagerAt(leader: RpcAddress | string): string {
  const address = typeof leader === 'string' ? leader : spellAddress(leader);
  return `pekko.tcp://flink@${address}/user/rpc/resourcemanager_*`;
}
