/** What a TaskManager that is none can do to the JobManager: get an answer, and nothing else. */
import test from 'ava';
import fc from 'fast-check';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { FRAME_KINDS, METHODS, frameCodec, fromJsonBytes, jsonBytes, type Method } from '../../src/protocol/control.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { Epoch } from '../../src/protocol/ids.ts';
import { NO_TASK_MANAGER_METRICS } from '../../src/protocol/task-manager.ts';
import { memoryPair } from '../../src/rpc/memory-transport.ts';
import { ResourceManager } from '../../src/slots/resource-manager.ts';

const TERM = { epoch: 1 as Epoch, incarnation: 'leader' };
const RESOURCE = { cpuCores: 1, taskHeapSizeBytes: 1, taskOffHeapSizeBytes: 1, managedSizeBytes: 1, networkSizeBytes: 1 };
const DESCRIPTION = {
  resourceId: 'x', host: 'h', rpcPort: 1, dataPort: 2, slotCount: 2, totalResource: RESOURCE,
  hardware: { cpuCores: 1, physicalMemorySizeBytes: 1, freeMemorySizeBytes: 1, managedMemorySizeBytes: 1 },
  memory: {
    frameworkHeapSizeBytes: 1, taskHeapSizeBytes: 1, frameworkOffHeapSizeBytes: 1, taskOffHeapSizeBytes: 1, networkSizeBytes: 1,
    managedSizeBytes: 1, jvmMetaspaceSizeBytes: 1, jvmOverheadSizeBytes: 1, totalFlinkSizeBytes: 1, totalProcessSizeBytes: 1,
  },
};
const SLOTS = [{ slotIndex: 0, allocationId: null, jobId: null }, { slotIndex: 1, allocationId: 'a', jobId: 'j' }];
const IO = {
  numRecordsIn: 0, numRecordsOut: 0, numBytesIn: 0, numBytesOut: 0, busyTimeMs: 0, idleTimeMs: 0, backPressuredTimeMs: 0,
  currentInputWatermarkMs: null,
};
const REPORT = {
  jobId: 'j', attemptId: 't', vertexId: 'v', subtaskIndex: 0, generation: 1, allocationId: 'a', state: 'FAILED',
  error: { code: 'USER_CODE', className: 'E', message: 'm', stack: '', cause: { code: 'INTERNAL', className: 'E', message: 'm', stack: '' } },
  metrics: IO, accumulators: { n: { kind: 'counter', value: 1 } }, connectedChannels: ['c'], splits: [{ id: 's', finished: false }],
  checkpoints: { inFlight: [{ checkpointId: 2, acknowledgedFiles: ['f'] }], lastCompletedId: 1, lastAbortedId: 0, stop: { checkpointId: 2, mode: 'drain', isCompleted: false } },
};
/** One message of each kind, its JSON fields not yet encoded. */
const MESSAGES: readonly [Method, Readonly<Record<string, unknown>>][] = [
  ['registerTaskManager', { descriptionJson: DESCRIPTION, slotsJson: SLOTS, executionsJson: [REPORT], highestEpoch: 0 }],
  ['heartbeat', { slotsJson: SLOTS, executionsJson: [REPORT], metricsJson: NO_TASK_MANAGER_METRICS }],
  ['taskStateChanged', { job: 'j', generation: 1, attempt: 't', reportJson: REPORT }],
  ['operatorEvent', { job: 'j', generation: 1, attempt: 't', subtaskIndex: 0, nodeId: 1, bodyJson: { kind: 'splitFinished', splitId: 's' } }],
  ['fetchArtifact', { artifact: '../../../etc/hosts', offset: -1, sizeMax: 4_000_000_000 }],
];

function resourceManager(): ResourceManager {
  return new ResourceManager({
    ports: systemPorts, loggers: silentLoggers, term: TERM, heartbeat: { intervalMs: 10_000, timeoutMs: 60_000 }, callTimeoutMs: 60_000,
    evenlySpreadOut: false, readArtifact: async () => ({ data: new Uint8Array(), totalSize: 0 }),
  });
}

function frameOf(method: Method, fields: Readonly<Record<string, unknown>>, call: number): Uint8Array {
  const encoded = Object.entries(fields).map(([key, value]) => [key, key.endsWith('Json') ? jsonBytes(value) : value]);
  const body = METHODS[method].request.encode(Object.fromEntries(encoded) as never);
  const term = method === 'registerTaskManager' ? { epoch: 0, incarnation: '' } : TERM;
  return frameCodec.encode({ version: 1, kind: FRAME_KINDS.request, ...term, call, method, deadlineMs: 1000, body });
}

/** `value` with what stands at one of its paths replaced. */
function damaged(value: unknown, path: number, junk: unknown): unknown {
  const paths: [object, string][] = [];
  const copy = structuredClone({ value });
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      paths.push([node, key]);
      visit(Reflect.get(node, key));
    }
  };
  visit(copy);
  const [node, key] = paths[path % paths.length] ?? [copy, 'value'];
  Reflect.set(node, key, junk);
  return copy.value;
}

/** Sends frames over a connection of their own; answers what came back. */
async function answers(manager: ResourceManager, frames: readonly Uint8Array[]): Promise<{ kind: number; fault: ErrorInfo | null }[]> {
  const [near, far] = memoryPair('leader');
  const received: { kind: number; fault: ErrorInfo | null }[] = [];
  near.start({
    onMessage: (bytes) => {
      const { kind, body } = frameCodec.decode(bytes);
      if (kind === FRAME_KINDS.response) received.push({ kind, fault: null });
      if (kind === FRAME_KINDS.fault) received.push({ kind, fault: fromJsonBytes<ErrorInfo>(body) });
    },
    onClose: () => undefined,
  });
  manager.accept(far);
  for (const frame of frames) near.send(frame);
  for (let turns = 0; received.length < frames.length && turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  near.close('done');
  return received;
}

test('a message with one thing wrong is answered, and the ResourceManager goes on', async (t) => {
  const manager = resourceManager();
  const junk = fc.oneof(fc.jsonValue(), fc.constantFrom(null, -1, 1e300, '', 'CREATED', [], {}, [null], { kind: 'x' }));
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(200), junk, async (which, path, value) => {
      const [method, fields] = MESSAGES[which % MESSAGES.length] as (typeof MESSAGES)[number];
      const jsonFields = Object.keys(fields).filter((key) => key.endsWith('Json'));
      const target = jsonFields[path % jsonFields.length];
      const message = target === undefined ? fields : { ...fields, [target]: damaged(fields[target], path, value) };
      const registered = frameOf(...(MESSAGES[0] as (typeof MESSAGES)[number]), 1);
      t.is((await answers(manager, [registered, frameOf(method, message, 2)])).length, 2, method);
    }),
    { numRuns: 400 },
  );
  const [first] = await answers(manager, [frameOf(...(MESSAGES[0] as (typeof MESSAGES)[number]), 1)]);
  t.is(first?.kind, FRAME_KINDS.response);
  await manager.close(); // Fails when anything of the above has ended its loop.
});

test('the answer names the field that is wrong', async (t) => {
  const manager = resourceManager();
  t.teardown(() => manager.close());
  const faultOf = async (method: Method, fields: Readonly<Record<string, unknown>>): Promise<string> => {
    const [, answer] = await answers(manager, [frameOf(...(MESSAGES[0] as (typeof MESSAGES)[number]), 1), frameOf(method, fields, 2)]);
    return `${answer?.fault?.code}: ${answer?.fault?.message}`;
  };
  const registration = MESSAGES[0]?.[1] ?? {};
  t.is(await faultOf('registerTaskManager', { ...registration, slotsJson: [{ ...SLOTS[0], slotIndex: '0' }] }),
    'BAD_REQUEST: slots[0].slotIndex: expected a whole number from 0 to 1023, found "0"');
  t.is(await faultOf('taskStateChanged', { job: 'j', generation: 1, attempt: 't', reportJson: { ...REPORT, state: 'GONE' } }),
    'BAD_REQUEST: report.state: expected one of CREATED, SCHEDULED, DEPLOYING, INITIALIZING, RUNNING, CANCELING, RECONCILING, FINISHED, CANCELED, FAILED, found "GONE"');
  t.is(await faultOf('operatorEvent', { ...MESSAGES[3]?.[1], bodyJson: { kind: 'addSplits', splits: [] } }),
    'BAD_REQUEST: event.kind: expected one of readerRegistered, splitRequest, splitFinished, sourceEvent, endOfData, watermarkReported, collected, found "addSplits"');
  t.is(await faultOf('fetchArtifact', MESSAGES[4]?.[1] ?? {}), 'BAD_REQUEST: fetchArtifact: offset -1');
});
