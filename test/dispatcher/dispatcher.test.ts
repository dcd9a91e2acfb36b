/** Submissions: what is durable when, what is refused, and what the log says. */
import test from 'ava';
import type { LoggerSource } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { DispatcherCore } from '../../src/dispatcher/dispatcher.core.ts';
import { JobArchive, type ArchivedJob } from '../../src/dispatcher/job-archive.ts';
import type { JobId } from '../../src/protocol/ids.ts';
import { EmbeddedCluster } from '../../src/testing/embedded-cluster.ts';
import { lineGraph } from '../testing/job-graphs.ts';
import { ScriptedSlots, idleBroker } from '../testing/scripted-slots.ts';

const jobId = 'a' as JobId;
const ERROR = { code: 'JOB_SUBMISSION_FAILED' as const, className: 'Error', message: 'disk full', stack: '' };

test('A job is acknowledged after its graph is durable; its result is durable before the graph goes', (t) => {
  const core = new DispatcherCore();
  const events = [
    { kind: 'submitted', jobId },
    { kind: 'checked', jobId, ranBefore: false },
    { kind: 'persisted', jobId },
    { kind: 'terminated', jobId },
    { kind: 'resultStored', jobId },
    { kind: 'graphRemoved', jobId },
  ] as const;
  const effects = events.map((event) => core.step(event).map(({ kind }) => kind));
  t.deepEqual(effects, [['checkResult'], ['persistGraph'], ['run', 'acknowledge'], ['storeResult'], ['removeGraph'], ['markClean', 'archive']]);
  t.false(core.holds(jobId));
});

test('A store that fails refuses the submission, but does not bring a job back from its end', (t) => {
  const core = new DispatcherCore();
  core.step({ kind: 'submitted', jobId });
  core.step({ kind: 'checked', jobId, ranBefore: false });
  t.deepEqual(core.step({ kind: 'storeFailed', jobId, error: ERROR }), [{ kind: 'refuse', jobId, error: ERROR }]);
  for (const kind of ['submitted', 'persisted', 'terminated'] as const) core.step({ kind, jobId });
  t.deepEqual(core.step({ kind: 'storeFailed', jobId, error: ERROR }).map(({ kind }) => kind), ['reportStoreFailure', 'archive']);
});

test('The archive forgets the oldest jobs first, by age, number and size', (t) => {
  const archive = new JobArchive({ expirationMs: 100, sizeBytesMax: 1000, jobsMax: 2 });
  const closed: string[] = [];
  const add = (id: string, endTimeMs: number, padding = ''): void => {
    const details = { jobId: id, endTimeMs, name: padding };
    archive.add({ details, jobMaster: { close: async () => void closed.push(id) } } as unknown as ArchivedJob, endTimeMs);
  };
  for (const [i, id] of ['one', 'two', 'three'].entries()) add(id, i);
  t.deepEqual(closed, ['one']);
  add('large', 4, 'x'.repeat(2000));
  t.deepEqual(closed, ['one', 'two', 'three']);
  t.deepEqual(archive.jobs(200), []);
});

/** What an operator greps, in the order of Flink's log; `…` stands for what varies. */
const EXPECTED = [
  "dispatcher.StandaloneDispatcher Received JobGraph submission 'line 1'",
  "dispatcher.StandaloneDispatcher Submitting job 'line 1'",
  'jobmaster.JobMasterServiceLeadershipRunner JobMasterServiceLeadershipRunner for job',
  "jobmaster.JobMaster Initializing job 'line 1'",
  'jobmaster.JobMaster Using restart back off time strategy NoRestartBackoffTimeStrategy for line 1',
  'executiongraph.ExecutionGraph Created execution graph',
  "jobmaster.JobMaster Starting execution of job 'line 1'",
  'jobmaster.JobMaster Starting scheduling with scheduling strategy',
  'switched from state CREATED to RUNNING.',
  'switched from CREATED to SCHEDULED.',
  'Received resource requirements from job',
  'taskexecutor.TaskExecutor Receive slot request',
  'switched from SCHEDULED to DEPLOYING.',
  'executiongraph.ExecutionGraph Deploying Source: numbers (1/1) (attempt #0) with attempt id',
  'taskexecutor.TaskExecutor Received task Source: numbers (1/1)#0',
  'taskmanager.Task Source: numbers (1/1)#0',
  'switched from DEPLOYING to INITIALIZING.',
  'switched from INITIALIZING to RUNNING.',
  'switched from RUNNING to FINISHED.',
  'Job line 1 (00000000000000000000000000000001) switched from state RUNNING to FINISHED.',
  'jobmaster.JobMaster Stopping checkpoint coordinator for job',
  'Clearing resource requirements of job',
  'dispatcher.StandaloneDispatcher Job 00000000000000000000000000000001 reached terminal state FINISHED.',
  "dispatcher.StandaloneDispatcher Stopping the JobMaster for job 'line 1'",
];

test('A job leaves the log lines that operators grep, in order', async (t) => {
  const lines: string[] = [];
  const write = (name: string) => (message: string) => void lines.push(`${name.replace('org.apache.flink.runtime.', '')} ${message}`);
  const loggers: LoggerSource = {
    logger: (name) => ({ trace: write(name), debug: write(name), info: write(name), warn: write(name), error: write(name), isEnabled: () => true }),
  };
  const slots = new ScriptedSlots();
  slots.onDeploy = (task) => {
    task.run();
    task.state('FINISHED');
  };
  const cluster = await EmbeddedCluster.start({
    ports: systemPorts,
    loggers,
    taskManagerCount: 1,
    slotCount: 1,
    configuration: {},
    makeSlotHost: () => slots,
    makeBroker: idleBroker,
    makeCoordinator: () => null,
    programWorkers: null,
    print: { write: (_stream, _text, onWritten) => onWritten() },
    cancellation: { intervalMs: 0, timeoutMs: 1000 },
  });
  t.teardown(() => cluster.close());
  const id = await cluster.jobManager.submitJob(lineGraph(1, [1]));
  await cluster.jobManager.jobResult(id, 10_000);
  let from = 0;
  for (const expected of EXPECTED) {
    const at = lines.findIndex((line, i) => i >= from && line.includes(expected));
    t.true(at >= 0, `"${expected}" is missing after line ${from}:\n${lines.join('\n')}`);
    from = at;
  }
});
