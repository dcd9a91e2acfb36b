/** Slots that run nothing: what their tasks do is scripted by the test. */
import type { ChannelBroker } from '../../src/exchange/contract.ts';
import type { ExecutionAttemptId } from '../../src/protocol/ids.ts';
import type { FromSlot, SlotDeployment, SlotHandle, SlotHost, SlotListener, ToSlot } from '../../src/task/slot-protocol.ts';

const METRICS = {
  numRecordsIn: 1, numRecordsOut: 2, numBytesIn: 3, numBytesOut: 4, busyTimeMs: 5, idleTimeMs: 6, backPressuredTimeMs: 7,
  currentInputWatermarkMs: null,
};

/** One deployed task, as the test drives it. */
export class ScriptedTask {
  readonly deployment: SlotDeployment;
  private readonly listener: SlotListener;

  constructor(deployment: SlotDeployment, listener: SlotListener) {
    this.deployment = deployment;
    this.listener = listener;
  }

  state(state: Extract<FromSlot, { kind: 'state' }>['state'], message: string | null = null): void {
    const error = message === null ? null : { code: 'USER_CODE' as const, className: 'Error', message, stack: `Error: ${message}\n    at map (job.ts:3:5)` };
    const accumulators = { records: { kind: 'counter' as const, value: 1 } };
    this.listener.onMessage({ kind: 'state', attemptId: this.deployment.deployment.attemptId, state, error, metrics: METRICS, accumulators });
  }

  run(): void {
    this.state('INITIALIZING');
    this.state('RUNNING');
  }
}

/** Starts scripted slots; tasks are found here. */
export class ScriptedSlots implements SlotHost {
  readonly tasks = new Map<ExecutionAttemptId, ScriptedTask>();
  readonly listeners = new Map<number, SlotListener>();
  /** What a task does when it is deployed, and when it is asked to cancel. */
  onDeploy: (task: ScriptedTask) => void = (task) => task.run();
  onCancel: (task: ScriptedTask) => void = (task) => task.state('CANCELED');
  started = 0;
  terminated = 0;

  start(slotIndex: number, listener: SlotListener): SlotHandle {
    this.started += 1;
    this.listeners.set(slotIndex, listener);
    queueMicrotask(() => listener.onMessage({ kind: 'ready', doorbell: new SharedArrayBuffer(8) }));
    return {
      post: (message) => this.take(message, listener),
      terminate: async () => {
        this.terminated += 1;
      },
    };
  }

  private take(message: ToSlot, listener: SlotListener): void {
    if (message.kind === 'deploy') {
      const task = new ScriptedTask(message.task, listener);
      this.tasks.set(message.task.deployment.attemptId, task);
      this.onDeploy(task);
    } else if (message.kind === 'cancel') {
      const task = this.tasks.get(message.attemptId);
      if (task) this.onCancel(task);
    }
  }
}

/** A broker that opens nothing. */
export function idleBroker(): ChannelBroker {
  return {
    listen: async (_host, port) => port,
    addSlot: () => undefined,
    openOutput: (channel, generation) => ({ kind: 'local', channelId: channel.channelId, generation }),
    openInput: (channel, generation) => ({ kind: 'local', channelId: channel.channelId, generation }),
    connectedChannels: () => [],
    release: () => undefined,
    close: async () => undefined,
  };
}
