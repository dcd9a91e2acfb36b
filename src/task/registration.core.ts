/**
 * How a TaskManager finds and keeps its JobManager, as a pure state machine. The I/O is in job-manager-link.ts.
 *
 *     (no leader) ── leader ──► dialling ── connected ──► registering ── accepted ──► registered
 *                                  ▲  └───── failed ─── waiting ◄── failed ──┘            │
 *                                  └──────────────────────┴───────────── closed ──────────┘
 *
 * It never gives up: tasks run on while the JobManager is away, and each registration tells all of them.
 * A lost connection is dialled again at once; attempts that fail wait, twice as long each time.
 *
 * Unlike Flink: a failed attempt waits from `initial-timeout` up to `error-delay`, where Flink always waits
 * `error-delay`; and no timeout ends the process (`taskmanager.registration.timeout`).
 */
import { assert } from '../base/assert.ts';

/** Where to dial. */
export interface LeaderEndpoint {
  readonly host: string;
  readonly port: number;
}

export type RegistrationEvent = // `attempt` echoes the effect being answered.
  | { readonly kind: 'leaderChanged'; readonly leader: LeaderEndpoint | null }
  | { readonly kind: 'connected'; readonly attempt: number }
  | { readonly kind: 'accepted'; readonly attempt: number }
  /** Dialling or registering failed; `refused`: the JobManager said no. */
  | { readonly kind: 'failed'; readonly attempt: number; readonly reason: string; readonly refused: boolean }
  | { readonly kind: 'closed'; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'retryDue'; readonly attempt: number };

export type RegistrationEffect =
  | { readonly kind: 'dial'; readonly attempt: number; readonly leader: LeaderEndpoint; readonly timeoutMs: number }
  | { readonly kind: 'register'; readonly attempt: number; readonly timeoutMs: number }
  | { readonly kind: 'hangUp'; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'startRetryTimer'; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'registered' }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'retrying'; readonly leader: LeaderEndpoint; readonly delayMs: number; readonly reason: string };

/** `cluster.registration.*`, ms. */
export interface RegistrationOptions {
  readonly initialTimeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly errorDelayMs: number;
  readonly refusedDelayMs: number;
}

export class RegistrationCore {
  private readonly options: RegistrationOptions;
  private state: 'leaderless' | 'dialling' | 'registering' | 'registered' | 'waiting' = 'leaderless';
  private leader: LeaderEndpoint | null = null;
  private attempt = 0;
  private failures = 0;

  constructor(options: RegistrationOptions) {
    this.options = options;
  }

  /** Applies one event; returns the effects to perform, in order. Late answers are not errors. */
  step(event: RegistrationEvent): RegistrationEffect[] {
    if ('attempt' in event && event.attempt !== this.attempt) return [];
    switch (event.kind) {
      case 'leaderChanged':
        return this.follow(event.leader);
      case 'connected':
        assert(this.state === 'dialling', 'a connection answers a dial');
        this.state = 'registering';
        return [{ kind: 'register', attempt: this.attempt, timeoutMs: this.timeoutMs() }];
      case 'accepted':
        assert(this.state === 'registering', 'an acceptance answers a registration');
        this.state = 'registered';
        this.failures = 0;
        return [{ kind: 'registered' }];
      case 'failed':
        return this.failed(event.reason, event.refused);
      case 'closed':
        return this.closed(event.reason);
      case 'retryDue':
        return this.dial();
    }
  }

  private follow(leader: LeaderEndpoint | null): RegistrationEffect[] {
    const isSame = leader?.host === this.leader?.host && leader?.port === this.leader?.port;
    if (isSame && this.state !== 'leaderless') return [];
    const before = this.leave('the leader changed');
    this.leader = leader;
    this.failures = 0;
    return leader ? [...before, ...this.dial()] : before;
  }

  private dial(): RegistrationEffect[] {
    if (!this.leader) return [];
    this.state = 'dialling';
    return [{ kind: 'dial', attempt: ++this.attempt, leader: this.leader, timeoutMs: this.timeoutMs() }];
  }

  private failed(reason: string, refused: boolean): RegistrationEffect[] {
    const { leader, attempt } = this;
    if (!leader || this.state === 'waiting') return []; // A failed registration also closes its connection.
    const { initialTimeoutMs, errorDelayMs, refusedDelayMs } = this.options;
    const delayMs = refused ? refusedDelayMs : Math.min(errorDelayMs, initialTimeoutMs * 2 ** this.failures);
    this.state = 'waiting';
    this.failures += 1;
    return [
      { kind: 'hangUp', attempt, reason },
      { kind: 'retrying', leader, delayMs, reason },
      { kind: 'startRetryTimer', attempt, delayMs },
    ];
  }

  private closed(reason: string): RegistrationEffect[] {
    if (this.state === 'registering') return this.failed(reason, false);
    if (this.state !== 'registered') return [];
    return [{ kind: 'lost', reason }, ...this.dial()];
  }

  private leave(reason: string): RegistrationEffect[] {
    const { state, attempt } = this;
    if (state === 'leaderless') return [];
    this.state = 'leaderless';
    this.attempt += 1; // Answers to the attempt before are late from now on.
    const hangUp: RegistrationEffect = { kind: 'hangUp', attempt, reason };
    return state === 'registered' ? [{ kind: 'lost', reason }, hangUp] : [hangUp];
  }

  private timeoutMs(): number {
    return Math.min(this.options.maxTimeoutMs, this.options.initialTimeoutMs * 2 ** this.failures);
  }
}
