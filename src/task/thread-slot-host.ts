/**
 * Slots in worker threads: what a TaskManager uses. A thread has its own heap with its own limit, and can
 * be terminated whatever the user's code does, so nothing in a slot can hold up the main thread.
 *
 * A message raises the slot's interrupt, so that a running batch ends early and the slot turns to it.
 */
import { Worker } from 'node:worker_threads';
import { userPlace } from '../base/source-place.ts';
import { SlotDoorbells } from '../exchange/doorbell.ts';
import type { DiskState } from '../state/slot-backends.ts';
import { deleteLocalDirectory } from '../storage/lsm/sorted-file.ts';
import { errorInfo, thrownText } from '../protocol/errors.ts';
import type { ErrorInfo } from '../protocol/errors.ts';
import type { FromSlot, SlotHandle, SlotHost, SlotListener, ToSlot } from './slot-protocol.ts';

/** What a slot worker starts with. */
export interface SlotWorkerData {
  readonly slotIndex: number;
  /** One Int32; see `Interrupt`. */
  readonly interrupt: SharedArrayBuffer;
  /** See `SlotDoorbells`. */
  readonly doorbell: SharedArrayBuffer;
  readonly diskState: DiskState;
}

/** Limits of one slot. */
export interface ThreadSlotHostOptions {
  /** Heap of a slot: `taskmanager.memory.task.heap.size` over the number of slots. */
  readonly oldSpaceSizeMbMax: number;
  /** Of one slot; each has a directory of its own in `directory`. */
  readonly diskState: DiskState;
}

const ENTRY = new URL('./slot-worker.js', import.meta.url);
const INTERRUPT_SIZE_BYTES = 4;

/** Starts slots as threads. */
export class ThreadSlotHost implements SlotHost {
  private readonly options: ThreadSlotHostOptions;
  private readonly doorbells = new SlotDoorbells();

  constructor(options: ThreadSlotHostOptions) {
    this.options = options;
  }

  /** The young generation keeps Node's size: 64 MB was slower than 16 MB on word counts (cache, Node 20). */
  start(slotIndex: number, listener: SlotListener): SlotHandle {
    const interrupt = new SharedArrayBuffer(INTERRUPT_SIZE_BYTES);
    const doorbell = this.doorbells.of(slotIndex);
    const directory = `${this.options.diskState.directory}/slot-${slotIndex}`;
    const workerData: SlotWorkerData = { slotIndex, interrupt, doorbell, diskState: { ...this.options.diskState, directory } };
    const worker = new Worker(ENTRY, {
      name: `slot-${slotIndex}`,
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: this.options.oldSpaceSizeMbMax },
    });
    return new ThreadSlot(worker, { slotIndex, listener, doorbell, interrupt: new Int32Array(interrupt), directory });
  }
}

interface ThreadSlotParts {
  readonly slotIndex: number;
  readonly listener: SlotListener;
  readonly doorbell: SharedArrayBuffer;
  readonly interrupt: Int32Array;
  readonly directory: string;
}

class ThreadSlot implements SlotHandle {
  readonly doorbell: SharedArrayBuffer;
  private readonly worker: Worker;
  private readonly interrupt: Int32Array;
  private isTerminated = false;
  private exitCause: ErrorInfo | null = null;

  constructor(worker: Worker, slot: ThreadSlotParts) {
    this.worker = worker;
    this.doorbell = slot.doorbell;
    this.interrupt = slot.interrupt;
    worker.on('message', (message: FromSlot) => {
      if (!this.isTerminated) slot.listener.onMessage(message);
    });
    worker.on('error', (error) => (this.exitCause = causeOfDeath(slot.slotIndex, error)));
    worker.on('exit', (code) => {
      deleteLocalDirectory(slot.directory); // A thread that was stopped could not.
      if (!this.isTerminated) slot.listener.onExit(this.exitCause ?? endedItself(slot.slotIndex, code));
    });
  }

  post(message: ToSlot): void {
    Atomics.store(this.interrupt, 0, 1);
    this.worker.postMessage(message);
  }

  async terminate(): Promise<void> {
    this.isTerminated = true;
    await this.worker.terminate();
  }
}

/** What an error event of a worker means. */
function causeOfDeath(slotIndex: number, error: Error): ErrorInfo {
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message =
      `slot ${slotIndex} ran out of memory. Raise taskmanager.memory.task.heap.size, ` +
      'lower taskmanager.numberOfTaskSlots, or spread the state over more slots (parallelism)';
    return { code: 'SLOT_LOST', className: 'OutOfMemoryError', message, stack: '', cause: errorInfo(error, 'SLOT_LOST') };
  }
  const place = userPlace(error);
  const what = `an error that nothing caught${place === null ? '' : `, thrown at ${place}`}: ${thrownText(error)}`;
  const advice = 'Catch it where a promise is not awaited (void f()), or in the callback of a timer or an event';
  return { ...errorInfo(error), message: `slot ${slotIndex} died of ${what}. ${advice}` };
}

function endedItself(slotIndex: number, code: number): ErrorInfo {
  return { code: 'SLOT_LOST', className: 'Error', message: `code in slot ${slotIndex} ended the thread: process.exit(${code})`, stack: '' };
}
