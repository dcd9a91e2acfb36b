/** The control plane end to end, over scripted slots: real Dispatcher, ResourceManager, JobMaster, TaskExecutor and RPC. */
import test, { type ExecutionContext } from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { JobGraph } from '../../src/graph/job-graph.ts';
import { wsTransport } from '../../src/rpc/ws-transport.ts';
import type { RpcTransport } from '../../src/rpc/transport.ts';
import { EmbeddedCluster } from '../../src/testing/embedded-cluster.ts';
import { lineGraph } from './job-graphs.ts';
import { ScriptedSlots, idleBroker } from './scripted-slots.ts';

const RESULT_WAIT_MS = 10_000;

async function cluster(t: ExecutionContext, options: { taskManagers?: number; slots?: number; cancellation?: { intervalMs: number; timeoutMs: number }; transport?: RpcTransport } = {}) {
  const slots = new ScriptedSlots();
  const embedded = await EmbeddedCluster.start({
    ports: systemPorts,
    loggers: silentLoggers,
    taskManagerCount: options.taskManagers ?? 1,
    slotCount: options.slots ?? 2,
    configuration: {},
    makeSlotHost: () => slots,
    makeBroker: idleBroker,
    makeCoordinator: () => null,
    programWorkers: null,
    print: { write: (_stream, _text, done) => done() },
    cancellation: options.cancellation ?? { intervalMs: 0, timeoutMs: 10_000 },
    ...(options.transport ? { transport: options.transport } : {}),
  });
  t.teardown(() => embedded.close());
  return { embedded, jobManager: embedded.jobManager, slots };
}

async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = systemPorts.clock.monotonicMs() + RESULT_WAIT_MS;
  while (!holds()) {
    if (systemPorts.clock.monotonicMs() > deadlineMs) throw new Error('the condition did not come true');
    await new Promise((resolve) => systemPorts.clock.after(2, () => resolve(null)));
  }
}

const submitted = (jobGraph: JobGraph, jobManager: EmbeddedCluster['jobManager']) => jobManager.submitJob(jobGraph);

for (const [name, transport] of [['in memory', undefined], ['over WebSocket', wsTransport]] as const) {
  test(`A job whose tasks finish is FINISHED, with accumulators merged (${name})`, async (t) => {
    const { jobManager, slots } = await cluster(t, transport ? { transport } : {});
    slots.onDeploy = (task) => {
      task.run();
      task.state('FINISHED');
    };
    const jobId = await submitted(lineGraph(1, [2, 2]), jobManager);
    const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
    t.is(result?.status, 'FINISHED');
    t.deepEqual(result?.accumulators, { records: { kind: 'counter', value: 4 } });
    t.is(jobManager.job(jobId).vertices[0]?.subtasks[1]?.state, 'FINISHED');
    await until(() => jobManager.overview().slotsAvailable === 2);
    t.is(jobManager.overview().jobsFinished, 1);
  });
}

test('Subtasks of all vertices with one index share a slot', async (t) => {
  const { jobManager, slots } = await cluster(t, { taskManagers: 2, slots: 2 });
  const jobId = await submitted(lineGraph(2, [4, 2]), jobManager);
  await until(() => slots.tasks.size === 6);
  const [wide, narrow] = jobManager.job(jobId).vertices;
  t.deepEqual(narrow?.subtasks.map(({ allocationId }) => allocationId), wide?.subtasks.slice(0, 2).map(({ allocationId }) => allocationId));
  t.is(new Set(wide?.subtasks.map(({ allocationId }) => allocationId)).size, 4);
});

test('A failed task fails the job with its reason, and its siblings are canceled', async (t) => {
  const { jobManager, slots } = await cluster(t);
  const jobId = await submitted(lineGraph(3, [2, 1]), jobManager);
  await until(() => jobManager.job(jobId).vertices.every(({ subtasks }) => subtasks.every(({ state }) => state === 'RUNNING')));
  [...slots.tasks.values()][0]?.state('FAILED', 'cannot divide by zero');
  const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  t.is(result?.status, 'FAILED');
  t.is(result?.error?.message, 'cannot divide by zero');
  const states = jobManager.job(jobId).vertices.flatMap(({ subtasks }) => subtasks.map(({ state }) => state));
  t.deepEqual(states.toSorted(), ['CANCELED', 'CANCELED', 'FAILED']);
});

test('A canceled job is CANCELED and its slots are free again', async (t) => {
  const { jobManager, slots } = await cluster(t);
  const jobId = await submitted(lineGraph(4, [2]), jobManager);
  await until(() => slots.tasks.size === 2);
  await jobManager.cancelJob(jobId);
  t.is((await jobManager.jobResult(jobId, RESULT_WAIT_MS))?.status, 'CANCELED');
  await until(() => jobManager.overview().slotsAvailable === 2);
  await t.throwsAsync(jobManager.cancelJob(jobId), { message: /already reached another terminal state \(CANCELED\)/ });
});

test('A task that ignores its cancellation loses its worker, and the slot gets another', async (t) => {
  const { jobManager, slots } = await cluster(t, { cancellation: { intervalMs: 4, timeoutMs: 20 } });
  let asked = 0;
  slots.onCancel = () => void (asked += 1);
  const jobId = await submitted(lineGraph(5, [1]), jobManager);
  await until(() => slots.tasks.size === 1);
  const before = slots.started;
  await jobManager.cancelJob(jobId);
  t.is((await jobManager.jobResult(jobId, RESULT_WAIT_MS))?.status, 'CANCELED');
  t.true(slots.terminated >= 1);
  t.true(slots.started > before);
  t.true(asked > 1, 'it was asked again in the meantime');
});

test('A task that hears the second call keeps its worker', async (t) => {
  const { jobManager, slots } = await cluster(t, { cancellation: { intervalMs: 4, timeoutMs: 10_000 } });
  let asked = 0;
  slots.onCancel = (task) => void (++asked === 2 && task.state('CANCELED'));
  const jobId = await submitted(lineGraph(5, [1]), jobManager);
  await until(() => slots.tasks.size === 1);
  await jobManager.cancelJob(jobId);
  t.is((await jobManager.jobResult(jobId, RESULT_WAIT_MS))?.status, 'CANCELED');
  t.is(asked, 2);
});

test('A worker that dies fails its tasks with the cause', async (t) => {
  const { jobManager, slots } = await cluster(t, { slots: 1 });
  const jobId = await submitted(lineGraph(6, [1]), jobManager);
  await until(() => slots.tasks.size === 1);
  slots.listeners.get(0)?.onExit({ code: 'SLOT_LOST', className: 'Error', message: 'Worker terminated due to reaching memory limit', stack: '' });
  const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  t.is(result?.error?.message, 'Worker terminated due to reaching memory limit');
});

test('A lost TaskManager fails the job and names the TaskManager', async (t) => {
  const { embedded, jobManager, slots } = await cluster(t);
  const jobId = await submitted(lineGraph(7, [1]), jobManager);
  await until(() => slots.tasks.size === 1);
  for (const taskManager of embedded.taskManagers) await embedded.stopTaskManager(taskManager);
  const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  t.is(result?.status, 'FAILED');
  t.is(result?.error?.code, 'TASK_MANAGER_LOST');
  t.regex(result?.error?.message ?? '', /taskmanager-1/);
});

test('A TaskManager lost while tasks are deployed to it is named in the reason', async (t) => {
  const { embedded, jobManager, slots } = await cluster(t, { transport: wsTransport });
  // The connection closes before the deployment is answered.
  slots.onDeploy = () => void Promise.all(embedded.taskManagers.map((taskManager) => embedded.stopTaskManager(taskManager)));
  const jobId = await submitted(lineGraph(8, [1]), jobManager);
  const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  t.is(result?.status, 'FAILED');
  t.is(result?.error?.code, 'TASK_MANAGER_LOST');
  t.regex(result?.error?.message ?? '', /TaskManager taskmanager-1/);
});

test('Too few slots fail the job after slot.request.timeout, naming what is missing and the key', async (t) => {
  const { jobManager } = await cluster(t, { slots: 1 });
  const jobId = await submitted(lineGraph(8, [3], { 'slot.request.timeout': '50 ms' }), jobManager);
  const result = await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  t.is(result?.error?.code, 'NO_RESOURCE_AVAILABLE');
  t.regex(result?.error?.message ?? '', /^Could not acquire the minimum required resources\. The job needs 3 slots, 1 were available .*slot\.request\.timeout/);
});

test('A job that waits for slots starts when a TaskManager joins', async (t) => {
  const { embedded, jobManager, slots } = await cluster(t, { slots: 1 });
  const jobId = await submitted(lineGraph(9, [2]), jobManager);
  t.is(slots.tasks.size, 0);
  await embedded.startTaskManager();
  await until(() => slots.tasks.size === 2);
  t.is(jobManager.job(jobId).status, 'RUNNING');
});

test('The same job id is not accepted twice', async (t) => {
  const { jobManager, slots } = await cluster(t);
  slots.onDeploy = (task) => {
    task.run();
    task.state('FINISHED');
  };
  const jobGraph = lineGraph(10, [1]);
  const jobId = await submitted(jobGraph, jobManager);
  await t.throwsAsync(submitted(jobGraph, jobManager), { message: /already been submitted/ });
  await jobManager.jobResult(jobId, RESULT_WAIT_MS);
  await t.throwsAsync(submitted(jobGraph, jobManager), { message: /already been submitted/ });
});

test('A job with a restart strategy runs again after a failure', async (t) => {
  const { jobManager, slots } = await cluster(t);
  const settings = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '1', 'restart-strategy.fixed-delay.delay': '5 ms' };
  const jobId = await submitted(lineGraph(11, [1, 1], settings), jobManager);
  await until(() => slots.tasks.size === 2);
  [...slots.tasks.values()][0]?.state('FAILED', 'first failure');
  await until(() => slots.tasks.size === 4);
  t.deepEqual(jobManager.job(jobId).vertices.map(({ subtasks }) => subtasks[0]?.attemptNumber), [1, 1]);
  [...slots.tasks.values()][2]?.state('FAILED', 'second failure');
  t.is((await jobManager.jobResult(jobId, RESULT_WAIT_MS))?.error?.message, 'second failure');
});
