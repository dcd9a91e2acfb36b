/**
 * Entry point of a slot's worker thread: one runtime, fed by the port to the main thread. User code runs
 * here and nowhere else in a TaskManager.
 */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { assert, present } from '../base/assert.ts';
import type { Logger, LogLevel } from '../base/log.ts';
import { userPlace } from '../base/source-place.ts';
import { systemPorts } from '../base/system-ports.ts';
import { loadProgram, preloadApi } from '../graph/program.ts';
import { assembleSlot } from './slot-assembly.ts';
import type { FromSlot, LocalProgram, ToSlot } from './slot-protocol.ts';
import type { SlotWorkerData } from './thread-slot-host.ts';

/** Depth of stacks: deep enough that a user's recursion still shows the operator it began in. */
const STACK_FRAMES = 50;

const port = present(parentPort, 'a slot worker runs in a thread');
const { interrupt, doorbell, diskState } = workerData as SlotWorkerData;

process.setSourceMapsEnabled(true);
Error.stackTraceLimit = STACK_FRAMES;

const slot = assembleSlot({
  ports: systemPorts,
  loggers: { logger: (name) => forwardingLogger(name) },
  interrupt: new Int32Array(interrupt),
  doorbell,
  diskState,
  loadProgram: (program) => loadArtifact(program),
  send,
});

const exit = process.exit.bind(process);
process.exit = refuseExit;
process.stdout.write = printTo('stdout');
process.stderr.write = printTo('stderr');
port.on('message', (message: ToSlot) => slot.accept(message));
await preloadApi();
await slot.run();

/** State is given away, not copied, where its memory holds nothing else. */
function send(message: FromSlot): void {
  const isOwn = message.kind === 'checkpointBytes' && message.bytes.byteLength === message.bytes.buffer.byteLength;
  port.postMessage(message, isOwn ? [message.bytes.buffer as ArrayBuffer] : []);
}

function loadArtifact(program: LocalProgram): ReturnType<typeof loadProgram> {
  assert('artifactPath' in program, 'a program of a worker thread is an artifact: registered ones exist in the process that made them');
  return loadProgram(pathToFileURL(program.artifactPath).href);
}

/**
 * Throws where user code called it, so that the operator and the place are named; to end the thread would say neither.
 * Node itself calls it too, after an error that nothing caught.
 */
function refuseExit(code?: number | string | null): never {
  if (userPlace(new Error('called from')) === null) return exit(code);
  throw new Error(`process.exit(${code ?? ''}) is not for jobs: throw an error to fail the job; it ends by itself when its sources do`);
}

/** The user's console writes here. It cannot be made to wait; the slot runs nothing while too much is under way. */
function printTo(stream: 'stdout' | 'stderr'): typeof process.stdout.write {
  return (chunk: Uint8Array | string, encodingOrDone?: unknown, done?: unknown): boolean => {
    void slot.print(stream, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const callback = typeof encodingOrDone === 'function' ? encodingOrDone : done;
    if (typeof callback === 'function') queueMicrotask(() => (callback as () => void)());
    return true;
  };
}

/** Levels are filtered where the log is written; below INFO nothing is sent at all. */
function forwardingLogger(logger: string): Logger {
  const log = (level: LogLevel, message: string, cause?: unknown) => {
    const text = cause === undefined ? message : `${message}\n${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
    send({ kind: 'log', level, logger, message: text });
  };
  return {
    trace: () => undefined,
    debug: () => undefined,
    info: (message) => log('INFO', message),
    warn: (message, cause) => log('WARN', message, cause),
    error: (message, cause) => log('ERROR', message, cause),
    isEnabled: (level) => level !== 'TRACE' && level !== 'DEBUG',
  };
}
