/**
 * Slots in worker threads: jobs over rings, and everything that user code can do to its thread. The main
 * thread must stay responsive throughout.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { jobGraphOf } from '../../src/graph/job-graph-builder.ts';
import type { ArtifactId, JobId } from '../../src/protocol/ids.ts';
import { ThreadSlotHost } from '../../src/task/thread-slot-host.ts';
import program from './jobs/thread-job.ts';
import { DISK_STATE, startJob } from './slot-fixture.ts';
import type { RunningJob } from './slot-fixture.ts';

const HEAP_SIZE_MB = 64;
/** Timer ticks of the main thread while a slot spins. */
const HEARTBEATS = 20;
const artifactPath = fileURLToPath(new URL('./jobs/thread-job.js', import.meta.url));

async function startThreads(t: ExecutionContext, mode: string): Promise<RunningJob> {
  const args = program.parseArgs(['--mode', mode]);
  const jobGraph = jobGraphOf(program.build({ args, configuration: {} }), {
    jobId: systemPorts.random.hex(16) as JobId,
    program: { kind: 'artifact', artifactId: artifactPath as ArtifactId, sizeBytes: 0, apiVersion: '1' },
    args,
    configuration: {},
    submittedAtMs: 0,
  });
  return startJob(t, jobGraph, new ThreadSlotHost({ oldSpaceSizeMbMax: HEAP_SIZE_MB, diskState: DISK_STATE }), 2);
}

test('two slots exchange records over rings', async (t) => {
  const running = await (await startThreads(t, 'run')).finished();
  t.is(running.accumulators['out.count'], '20000');
});

test('state of many slices leaves a worker whole, while records flow', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'drey-thread-state-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const running = await startThreads(t, 'keep');
  await running.until(() => running.states.filter(({ state }) => state === 'RUNNING').length === 4, 'all tasks run');
  for (let checkpointId = 1; ; checkpointId++) {
    running.trigger(checkpointId, {
      kind: 'checkpoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: false, stop: 'no', format: null,
      directory, sharedDirectory: directory, inlineSizeBytesMax: 1000,
    });
    const acks = await running.acknowledged(checkpointId);
    const files = acks.flatMap(({ operators }) => operators).flatMap(({ keyed }) => keyed.map(({ data }) => data));
    t.is(files.length, 2);
    for (const data of files) {
      const bytes = data.kind === 'file' ? readFileSync(data.path) : Buffer.from(data.base64, 'base64');
      t.is(createHash('sha256').update(bytes).digest('hex'), data.sha256);
    }
    if (files.every((data) => data.kind === 'file' && data.sizeBytes > 500_000)) return;
  }
});

test('a failure in a worker names the operator and the line of the TypeScript', async (t) => {
  const running = await startThreads(t, 'fail');
  await running.until(() => running.finals.some(({ state }) => state === 'FAILED'), 'a task fails');
  const message = running.finals.find(({ state }) => state === 'FAILED')?.error?.message ?? '';
  t.regex(message, /operator 'risky' failed at .*thread-job\.ts:10:\d+: RangeError: beyond 99/);
});

test('an endless loop does not hold the main thread, and its slot can be terminated', async (t) => {
  const running = await startThreads(t, 'spin');
  await running.until(() => running.states.filter(({ state }) => state === 'RUNNING').length === 4, 'all tasks run');
  let beats = 0;
  const heartbeat = setInterval(() => void beats++, 10);
  t.teardown(() => clearInterval(heartbeat));
  await running.until(() => beats >= HEARTBEATS, 'the main thread beats on');
  await running.terminate(0);
  t.is(running.finals.filter(({ attemptId }) => attemptId.endsWith('_0_0')).length, 0, 'the tasks of the slot never ended by themselves');
});

test('a slot that runs out of memory says so and what to do', async (t) => {
  const running = await startThreads(t, 'hoard');
  await running.until(() => running.finals.length > 0, 'a slot dies');
  t.is(running.finals[0]?.error?.code, 'SLOT_LOST');
  t.regex(running.finals[0]?.error?.message ?? '', /slot \d ran out of memory\. Raise taskmanager\.memory\.task\.heap\.size/);
});

test('process.exit in user code fails its operator, at its place', async (t) => {
  const running = await startThreads(t, 'exit');
  await running.until(() => running.finals.length > 0, 'a task fails');
  t.regex(running.finals[0]?.error?.message ?? '', /operator 'risky' failed at .*thread-job\.ts:11:\d+: Error: process\.exit\(3\) is not for jobs/);
});

test('a rejection that nobody handles is the death of its slot, with the reason and the place', async (t) => {
  const running = await startThreads(t, 'reject');
  await running.until(() => running.finals.some(({ state }) => state === 'FAILED'), 'a slot dies');
  const message = running.finals.find(({ state }) => state === 'FAILED')?.error?.message ?? '';
  t.regex(message, /^slot \d died of an error that nothing caught, thrown at .*thread-job\.ts:13:\d+: Error: nobody waits for this\. Catch it/);
});

test('the user console is printed through the TaskManager', async (t) => {
  const running = await (await startThreads(t, 'talk')).finished();
  t.is(running.printed.split('\n').filter((line) => /^at \d+$/.test(line)).length, 20);
});

test('a flood of output is held to its bound and loses nothing', async (t) => {
  const running = await (await startThreads(t, 'flood')).finished();
  t.is(running.printed.length, 20_000 * 1001);
});
