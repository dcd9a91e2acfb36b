/** Checkpoints against real files and scripted TaskManagers: what is on disk when, what is left over, and what a job goes on from. */
import { type Dirent, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { LoggerSource } from '../../src/base/log.ts';
import type { Ports } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { CheckpointStorage } from '../../src/checkpoint/checkpoint-storage.ts';
import { edgeKeyOf, type JobEdge, type JobGraph } from '../../src/graph/job-graph.ts';
import { CheckpointCoordinator } from '../../src/jobmaster/checkpoint-coordinator.ts';
import type { CheckpointSettings } from '../../src/jobmaster/checkpoint-settings.ts';
import { CoordinatorHolder } from '../../src/jobmaster/coordinator-holder.ts';
import { ExecutionGraph } from '../../src/jobmaster/execution-graph.core.ts';
import type { OperatorCoordinator } from '../../src/jobmaster/operator-coordinator.ts';
import type { CheckpointOptions } from '../../src/protocol/checkpoint.ts';
import type { OperatorEventBody } from '../../src/protocol/deployment.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';
import type { AllocationId, JobId, ResourceId } from '../../src/protocol/ids.ts';
import { localFileSystems } from '../../src/storage/local-files.ts';
import { lineGraph } from '../testing/job-graphs.ts';
import { acknowledgement, FakeTaskManagers } from './fake-task-managers.ts';

const ERROR: ErrorInfo = { code: 'USER_CODE', className: 'Error', message: 'thrown', stack: '' };
const SETTINGS: CheckpointSettings = {
  cadence: { intervalMs: null, timeoutMs: 60_000, minPauseMs: 0, concurrentMax: 1, tolerableFailures: 0 },
  alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: 0, incremental: true, afterTasksFinish: true, directory: null,
  subDirectory: true, savepointDirectory: null, inlineSizeBytesMax: 0, retainedMax: 1, retention: 'NO_EXTERNALIZED_CHECKPOINTS',
  stateBackend: 'hashmap', historyMax: 10, restore: null,
};
const CHECKPOINT = { kind: 'checkpoint', stop: 'no', full: false, targetDirectory: null, format: null } as const;
const SAVEPOINT = { kind: 'savepoint', stop: 'no', full: true, targetDirectory: null, format: 'CANONICAL' } as const;

/** A job of two vertices whose tasks run; its source has an enumerator that counts what it sent. */
class Job {
  readonly taskManagers = new FakeTaskManagers();
  readonly lines: string[] = [];
  readonly failed: ErrorInfo[] = [];
  readonly sent: OperatorEventBody[] = [];
  readonly graph: ExecutionGraph;
  readonly coordinators: CoordinatorHolder;
  readonly checkpoints: CheckpointCoordinator;
  /** What the enumerator was made from. */
  enumerators: unknown[] = [];
  sendToSource: () => void = () => undefined;

  constructor(t: ExecutionContext, settings: Partial<CheckpointSettings>, jobGraph: JobGraph = lineGraph(1, [2, 1])) {
    const logger = (name: string) => {
      const write = (message: string): void => void this.lines.push(`${name.split('.').at(-1)} ${message}`);
      return { trace: write, debug: write, info: write, warn: write, error: write, isEnabled: () => true };
    };
    const loggers: LoggerSource = { logger };
    const ports: Ports = systemPorts;
    this.graph = new ExecutionGraph(jobGraph, 'e', { failuresMax: 16, nowMs: 0 });
    const location = { resourceId: 'tm' as ResourceId, host: 'h', dataPort: 1, slotIndex: 0 };
    for (const execution of this.graph.executions()) {
      this.graph.assignSlot(execution, { allocationId: 'a' as AllocationId, location });
      for (const state of ['SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING'] as const) this.graph.switchExecution(execution, state, 0);
    }
    this.coordinators = new CoordinatorHolder({
      jobGraph,
      make: ({ operator, restored }, context): OperatorCoordinator | null => {
        if (operator.nodeId !== 1) return null;
        this.enumerators.push(restored);
        let count = Number(restored ?? 0);
        this.sendToSource = () => context.sendToSubtask(0, { kind: 'addSplits', splits: [++count] });
        const nothing = (): void => undefined;
        return { start: nothing, onOperatorEvent: nothing, onSubtaskFailed: nothing, close: nothing, snapshot: (_id, answer) => answer(count) };
      },
      send: (_target, body) => void this.sent.push(body),
      fail: (error) => void this.failed.push(error),
    });
    this.checkpoints = new CheckpointCoordinator({
      jobGraph, ports, loggers, settings: { ...SETTINGS, ...settings },
      storage: new CheckpointStorage(localFileSystems(ports.random), ports.random),
      executions: () => this.graph.executions(),
      coordinators: this.coordinators,
      call: this.taskManagers.call,
      failJob: (error) => void this.failed.push(error),
    });
    t.teardown(() => this.checkpoints.close());
  }

  async start(): Promise<this> {
    await this.checkpoints.recover();
    this.coordinators.start(null, this.checkpoints.coordinatorSnapshots);
    this.checkpoints.jobStatusChanged('RUNNING');
    return this;
  }

  acknowledge(checkpointId: number, options: CheckpointOptions, text = `state ${checkpointId}`): void {
    for (const execution of this.graph.executions()) {
      this.checkpoints.acknowledged(execution.attemptId, acknowledgement(execution, checkpointId, options, text));
    }
  }

  /** Takes one checkpoint or savepoint to its end; answers where it is. */
  async take(checkpointId: number, request: Parameters<CheckpointCoordinator['request']>[0] = CHECKPOINT): Promise<string> {
    const result = this.checkpoints.request(request);
    this.acknowledge(checkpointId, await this.taskManagers.triggered(checkpointId));
    return (await result).location;
  }
}

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-checkpoints-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Looks again when something is deleted meanwhile. */
function files(directory: string): string[] {
  let entries: Dirent[] | null = null;
  while (entries === null) {
    try {
      entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' || !existsSync(directory)) throw thrown;
    }
  }
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1)).toSorted();
}

/** Deletions are in the background: looks until `holds`. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => systemPorts.clock.after(1, () => resolve(null)));
}

test('A checkpoint is on disk, verified and the newest before tasks hear of it; the one before goes', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root }).start();
  const jobDirectory = join(root, job.graph.jobGraph.jobId);
  const first = await job.take(1);
  t.is(first, `file:${jobDirectory}/chk-1`);
  t.true(existsSync(join(jobDirectory, 'chk-1/_metadata')));
  t.true(existsSync(join(jobDirectory, 'taskowned')));
  t.deepEqual(job.taskManagers.notices, ['complete 1']);
  t.deepEqual(job.taskManagers.triggers.map(({ attemptId }) => attemptId), job.graph.executions().slice(0, 2).map(({ attemptId }) => attemptId));
  await job.take(2);
  await job.take(3);
  await eventually(() => readdirSync(jobDirectory).toSorted().join() === 'chk-3,shared,taskowned');
  await eventually(() => files(jobDirectory).every((file) => /-[23]$|_metadata$/.test(file)));
  t.deepEqual(job.lines.filter((line) => line.includes('checkpoint 1')).map((line) => line.replaceAll(/\d+ ms|@ \d+/g, '…')), [
    `CheckpointCoordinator Triggering checkpoint 1 (type=CheckpointType{name='Checkpoint', sharingFilesStrategy=FORWARD_BACKWARD}) … for job ${job.graph.jobGraph.jobId}.`,
    `CheckpointCoordinator Completed checkpoint 1 for job ${job.graph.jobGraph.jobId} (15 bytes, checkpointDuration=…, finalizationTime=…).`,
  ]);
});

test('An aborted checkpoint leaves no files, nor does an acknowledgement that comes too late', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root }).start();
  const jobDirectory = join(root, job.graph.jobGraph.jobId);
  const result = job.checkpoints.request(CHECKPOINT);
  const options = await job.taskManagers.triggered(1);
  const [first, second] = job.graph.executions();
  if (!first || !second) return t.fail();
  job.checkpoints.acknowledged(first.attemptId, acknowledgement(first, 1, options, 'x'));
  job.checkpoints.declined(second.attemptId, 1, ERROR);
  job.checkpoints.acknowledged(second.attemptId, acknowledgement(second, 1, options, 'x'));
  await t.throwsAsync(result, { message: 'thrown' });
  await eventually(() => files(jobDirectory).length === 0);
  t.deepEqual(job.taskManagers.notices, ['aborted 1 after 0']);
  t.true(job.lines.some((line) => line.startsWith('CheckpointCoordinator Decline checkpoint 1 by task')));
  t.true(job.lines.some((line) => line.startsWith('CheckpointCoordinator Received late message for now expired checkpoint attempt 1 from task')));
});

test('Acknowledged files that are not there abort the checkpoint before anybody is told that it is complete', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root }).start();
  const result = job.checkpoints.request(CHECKPOINT);
  const options = await job.taskManagers.triggered(1);
  const acks = job.graph.executions().map((execution) => [execution.attemptId, acknowledgement(execution, 1, options, 'x')] as const);
  await rm(join(root, job.graph.jobGraph.jobId, 'shared'), { recursive: true });
  for (const [attemptId, ack] of acks) job.checkpoints.acknowledged(attemptId, ack);
  await t.throwsAsync(result, { code: 'CHECKPOINT_CORRUPT' });
  t.deepEqual(job.taskManagers.notices, ['aborted 1 after 0']);
});

test('After a failure new attempts begin from the newest checkpoint, and so do enumerators', async (t) => {
  const job = await new Job(t, {}).start();
  job.sendToSource();
  t.is(await job.take(1), '<checkpoint-not-externally-addressable>');
  job.sendToSource();
  job.checkpoints.jobStatusChanged('RESTARTING');
  await job.checkpoints.restore(false, job.graph.jobGraph);
  job.coordinators.start(null, job.checkpoints.coordinatorSnapshots);
  t.deepEqual(job.enumerators, [null, 1], 'the split that was sent after the checkpoint comes again');
  const texts = job.graph.executions().map((execution) => job.checkpoints.restoreOf(execution)?.operators.flatMap(({ keyed }) => keyed.map(({ data }) => data)));
  t.like(texts, [1, 2, 3].map(() => [{ kind: 'inline', base64: Buffer.from('state 1').toString('base64') }]));
});

test('What a coordinator changes after its snapshot does not change the snapshot, nor what the next one begins from', async (t) => {
  const live = ['a'];
  const restored: unknown[] = [];
  const nothing = (): void => undefined;
  const coordinators = new CoordinatorHolder({
    jobGraph: lineGraph(1, [1]),
    make: (place) => {
      restored.push(place.restored);
      (place.restored as string[] | null)?.push('changed');
      return { start: nothing, onOperatorEvent: nothing, onSubtaskFailed: nothing, close: nothing, snapshot: (_id, answer) => answer(live) };
    },
    send: nothing,
    fail: ({ message }) => t.fail(message),
  });
  coordinators.start(null, new Map());
  const snapshots = await coordinators.snapshot(1);
  live.push('b');
  coordinators.start(null, snapshots);
  t.deepEqual([...snapshots.values()], [['a']]);
  t.deepEqual(restored, [null, ['a', 'changed']]);
});

test('What an enumerator sends after its snapshot is held back until the triggers of that checkpoint are out', async (t) => {
  const job = await new Job(t, {}).start();
  await job.coordinators.snapshot(7);
  job.sendToSource();
  job.coordinators.release(6);
  t.deepEqual(job.sent, [], 'another checkpoint’s end does not let it pass');
  job.coordinators.release(7);
  t.deepEqual(job.sent, [{ kind: 'addSplits', splits: [1] }]);
});

test('A flipped byte in the newest checkpoint is named, and the one before is used', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root, retainedMax: 2 }).start();
  for (const id of [1, 2]) await job.take(id);
  const [path] = files(join(root, job.graph.jobGraph.jobId)).filter((file) => file.startsWith('shared/') && file.endsWith('-2'));
  const damaged = join(root, job.graph.jobGraph.jobId, path ?? '');
  const contents = readFileSync(damaged);
  contents[0] = (contents[0] ?? 0) ^ 4;
  writeFileSync(damaged, contents);
  job.checkpoints.jobStatusChanged('RESTARTING');
  await job.checkpoints.restore(true, job.graph.jobGraph);
  t.is(job.checkpoints.restoreOf(job.graph.executions()[0] as never)?.checkpointId, 1);
  t.true(job.lines.some((line) => line.includes('Checkpoint 2 located at') && line.includes(damaged)));
  t.true(job.lines.some((line) => /Restoring job \w+ from Checkpoint 1 @ \d+ for \w+ located at file:.*chk-1\.$/.test(line)));
});

test('When no checkpoint can be read, the job does not begin anew', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root }).start();
  await job.take(1);
  await rm(join(root, job.graph.jobGraph.jobId, 'chk-1/_metadata'));
  job.checkpoints.jobStatusChanged('RESTARTING');
  await t.throwsAsync(job.checkpoints.restore(false, job.graph.jobGraph), { code: 'CHECKPOINT_CORRUPT' });
});

test('In-flight records that have no place at another parallelism keep a restore from beginning, before anything is deployed', async (t) => {
  const graph = lineGraph(1, [1, 2]);
  const forward = { ...graph, edges: graph.edges.map((edge) => ({ ...edge, partitioning: 'forward' as const })) };
  const job = await new Job(t, {}, forward).start();
  const result = job.checkpoints.request(CHECKPOINT);
  const options = await job.taskManagers.triggered(1);
  for (const execution of job.graph.executions()) {
    const { operators, ...ack } = acknowledgement(execution, 1, options, 'x');
    const name = { edge: edgeKeyOf(forward, forward.edges[0] as JobEdge), producerIndex: 0, consumerIndex: execution.subtaskIndex, consumerCount: 2 };
    const inFlight = operators.map((state) => ({ ...state, inFlight: { channels: [{ ...name, side: 'input' as const, tag: 0, consumed: null }], data: state.operator as never } }));
    job.checkpoints.acknowledged(execution.attemptId, { ...ack, operators: execution.vertex.id === graph.vertices[1]?.id ? inFlight : operators });
  }
  await result;
  const wider = { ...forward, vertices: forward.vertices.map((vertex, i) => (i === 1 ? { ...vertex, parallelism: 3 } : vertex)) };
  job.checkpoints.jobStatusChanged('RESTARTING');
  t.throws(() => job.checkpoints.checkRestart(wider), { code: 'STATE_INCOMPATIBLE' });
  await t.throwsAsync(job.checkpoints.restore(false, wider), { code: 'STATE_INCOMPATIBLE', message: /Start from a savepoint/ });
  await t.notThrowsAsync(job.checkpoints.restore(false, forward));
});

test('Another job starts from a savepoint at another parallelism, and the savepoint stays its owner’s', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root }).start();
  job.sendToSource();
  const savepoint = await job.take(1, { ...SAVEPOINT, targetDirectory: root });
  t.regex(savepoint, new RegExp(`^file:${root}/savepoint-000000-[0-9a-f]{12}$`));
  t.deepEqual(job.taskManagers.notices, [], 'a savepoint commits nothing');
  const restore = { path: savepoint, allowNonRestoredState: false, claimMode: 'NO_CLAIM' } as const;
  const before = files(savepoint.replace('file:', ''));
  const wider = { ...lineGraph(1, [3, 4]), jobId: '9'.repeat(32) as JobId };
  const next = await new Job(t, { directory: root, restore }, wider).start();
  t.deepEqual(next.enumerators, [1]);
  const restores = next.graph.executions().map((execution) => next.checkpoints.restoreOf(execution));
  t.deepEqual(restores.map((each) => each?.operators.filter(({ keyed }) => keyed.length > 0).map(({ subtaskIndex }) => subtaskIndex)), [
    [0], [0, 1], [1], [0], [0], [0], [0],
  ]);
  t.like(next.lines.filter((line) => line.includes('savepoint')), [`CheckpointCoordinator Starting job ${wider.jobId} from savepoint ${savepoint} ()`]);
  t.true(next.lines.includes(`CheckpointCoordinator Reset the checkpoint ID of job ${wider.jobId} to 2.`));
  await next.take(2);
  t.false((await next.taskManagers.triggered(2)).incremental, 'the first checkpoint does not build on files of others');
  next.checkpoints.jobStatusChanged('CANCELED');
  await eventually(() => !existsSync(join(root, wider.jobId)));
  t.deepEqual(files(savepoint.replace('file:', '')), before);
});

test('Retained checkpoints outlive a canceled job; others go with everything around them', async (t) => {
  const root = await temporary(t);
  const job = await new Job(t, { directory: root, retention: 'RETAIN_ON_CANCELLATION' }).start();
  for (const id of [1, 2]) await job.take(id);
  job.checkpoints.jobStatusChanged('CANCELED');
  const jobDirectory = join(root, job.graph.jobGraph.jobId);
  await eventually(() => files(jobDirectory).every((file) => /-2$|chk-2\/_metadata$/.test(file)));
  const restore = { path: join(jobDirectory, 'chk-2'), allowNonRestoredState: false, claimMode: 'CLAIM' } as const;
  const next = await new Job(t, { directory: root, restore }, { ...lineGraph(1, [2, 1]), jobId: '8'.repeat(32) as JobId }).start();
  await next.take(3);
  next.checkpoints.jobStatusChanged('FINISHED');
  await eventually(() => files(root).length === 0);
  t.pass();
});

test('A task that fails ends the checkpoints in progress; nothing starts until the job runs again', async (t) => {
  const job = await new Job(t, {}).start();
  const result = job.checkpoints.request(CHECKPOINT);
  await job.taskManagers.triggered(1);
  job.checkpoints.jobStatusChanged('RESTARTING');
  await t.throwsAsync(result, { message: 'Checkpoint Coordinator is suspending.' });
  await t.throwsAsync(job.checkpoints.request(CHECKPOINT), { message: 'Checkpoint Coordinator is suspending.' });
  job.checkpoints.jobStatusChanged('RUNNING');
  await job.take(2);
  t.deepEqual(job.taskManagers.notices, ['aborted 1 after 0', 'complete 2']);
});

test('A trigger that cannot be sent declines the checkpoint', async (t) => {
  const job = await new Job(t, {}).start();
  job.taskManagers.fault = new Error('the connection is gone');
  await t.throwsAsync(job.checkpoints.request(CHECKPOINT), { message: /connection is gone/ });
});
