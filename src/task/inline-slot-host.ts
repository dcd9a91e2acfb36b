/**
 * Slots inside the calling thread: the MiniCluster's, and the way to debug a job with one debugger. The
 * same runtime as in worker threads, with programs that are objects of this very process.
 *
 * Unlike a thread an inline slot cannot be stopped while user code runs: an endless loop there hangs the process.
 */
import type { LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import { pathToFileURL } from 'node:url';
import { SlotDoorbells } from '../exchange/doorbell.ts';
import { loadProgram } from '../graph/program.ts';
import type { JobProgram } from '../graph/stream-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { DiskState } from '../state/slot-backends.ts';
import { assembleSlot } from './slot-assembly.ts';
import type { FromSlot, LocalProgram, SlotHandle, SlotHost, SlotListener, ToSlot } from './slot-protocol.ts';
import type { SlotRuntime } from './slot-runtime.ts';

/** Programs of this process by `ProgramRef` id. */
export type ProgramRegistry = ReadonlyMap<string, JobProgram>;

/** What inline slots share with their process. */
export interface InlineSlotHostOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly programs: ProgramRegistry;
  /** Of one slot; each has a directory of its own in `directory`. */
  readonly diskState: DiskState;
}

/** Starts slots as objects. */
export class InlineSlotHost implements SlotHost {
  private readonly options: InlineSlotHostOptions;
  private readonly doorbells = new SlotDoorbells();
  private startCount = 0;

  constructor(options: InlineSlotHostOptions) {
    this.options = options;
  }

  start(slotIndex: number, listener: SlotListener): SlotHandle {
    const { diskState } = this.options;
    const local = { ...diskState, directory: `${diskState.directory}/slot-${slotIndex}-${++this.startCount}` };
    return new InlineSlot({ ...this.options, diskState: local }, this.doorbells.of(slotIndex), listener);
  }
}

/** Messages are delivered by microtasks, so that neither side is entered from inside its own call. */
class InlineSlot implements SlotHandle {
  readonly doorbell: SharedArrayBuffer;
  private readonly runtime: SlotRuntime;
  private isTerminated = false;

  constructor(options: InlineSlotHostOptions, doorbell: SharedArrayBuffer, listener: SlotListener) {
    this.doorbell = doorbell;
    const deliver = (message: FromSlot) => {
      queueMicrotask(() => {
        if (!this.isTerminated) listener.onMessage(message);
      });
    };
    this.runtime = assembleSlot({
      ports: options.ports,
      loggers: options.loggers,
      interrupt: new Int32Array(1),
      doorbell,
      diskState: options.diskState,
      loadProgram: (program) => findProgram(program, options.programs),
      send: deliver,
    });
    queueMicrotask(() => void this.runtime.run());
  }

  post(message: ToSlot): void {
    queueMicrotask(() => {
      if (!this.isTerminated) this.runtime.accept(message);
    });
  }

  async terminate(): Promise<void> {
    if (this.isTerminated) return;
    this.isTerminated = true;
    await this.runtime.terminate();
  }
}

async function findProgram(program: LocalProgram, programs: ProgramRegistry): Promise<JobProgram> {
  if ('artifactPath' in program) return loadProgram(pathToFileURL(program.artifactPath).href);
  const found = programs.get(program.ref.id);
  if (found === undefined) throw new ClusterError('ARTIFACT_NOT_FOUND', `program '${program.ref.id}' is not registered in this process`);
  return found;
}
