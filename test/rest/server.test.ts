/** The REST server over a fake gateway: paths, statuses, field names and error texts of Flink 1.20. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { RestOptions } from '../../src/rest/options.ts';
import { RestServer } from '../../src/rest/server.ts';
import { FAILED_JOB, RUNNING_JOB, VERTEX, fakeGateway, type FakeGateway } from './fake-gateway.ts';

interface Started {
  readonly gateway: FakeGateway;
  readonly server: RestServer;
  readonly uploads: string;
  readonly call: (path: string, init?: RequestInit) => Promise<{ status: number; body: never; headers: Headers }>;
}

async function start(t: ExecutionContext, overrides: Partial<RestOptions> = {}): Promise<Started> {
  const uploads = await mkdtemp(join(tmpdir(), 'drey rest '));
  const gateway = fakeGateway();
  const server = await RestServer.start(gateway, {
    ports: systemPorts,
    loggers: silentLoggers,
    bindAddress: '127.0.0.1',
    portCandidates: [0],
    advertisedAddress: '127.0.0.1',
    uploadDirectory: uploads,
    submitEnabled: true,
    cancelEnabled: true,
    rescaleEnabled: true,
    refreshIntervalMs: 3000,
    contentSizeBytesMax: 10_000,
    logFile: null,
    shownConfiguration: { 'rest.port': '0' },
    version: '0.1.0',
    revision: { commit: '0000000', date: '2026-01-01T00:00:00Z' },
    ...overrides,
  });
  t.teardown(async () => {
    await server.close();
    await rm(uploads, { recursive: true, force: true });
  });
  const call: Started['call'] = async (path, init) => {
    const response = await fetch(server.address + path, { ...init, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: (await response.json()) as never, headers: response.headers };
  };
  return { gateway, server, uploads, call };
}

function upload(name: string, content: string | Uint8Array<ArrayBuffer>): RequestInit {
  const form = new FormData();
  form.set('jarfile', new Blob([content]), name);
  return { method: 'POST', body: form };
}

test('every route answers at its bare path and below /v1, with the content type of Flink', async (t) => {
  const { call } = await start(t);
  for (const path of ['/overview', '/config', '/jobs', '/jobs/overview', '/taskmanagers', '/jars', `/jobs/${RUNNING_JOB}`]) {
    const bare = await call(path);
    t.is(bare.status, 200, path);
    t.is(bare.headers.get('content-type'), 'application/json; charset=UTF-8');
    t.deepEqual(Object.keys((await call(`/v1${path}`)).body), Object.keys(bare.body));
  }
  t.is((await call('/v2/overview')).status, 404);
});

test('a job answers with the states, times and metrics of its vertices and subtasks', async (t) => {
  const { call } = await start(t);
  const job: { vertices: [{ tasks: { RUNNING: number }; metrics: { 'read-records': number } }]; 'status-counts': { RUNNING: number }; state: string } = (await call(`/jobs/${RUNNING_JOB}`)).body;
  t.is(job.state, 'RUNNING');
  t.is(job.vertices[0].tasks.RUNNING, 2);
  t.is(job.vertices[0].metrics['read-records'], 30);
  t.is(job['status-counts'].RUNNING, 1);
  const vertex: { aggregated: { metrics: { 'read-records': unknown } } } = (await call(`/jobs/${RUNNING_JOB}/vertices/${VERTEX}`)).body;
  t.deepEqual(vertex.aggregated.metrics['read-records'], { min: 10, max: 20, avg: 15, sum: 30, median: 10, p25: 10, p75: 20, p95: 20 });
  for (const tail of ['subtasktimes', 'taskmanagers', 'accumulators', 'subtasks/1']) {
    t.is((await call(`/jobs/${RUNNING_JOB}/vertices/${VERTEX}/${tail}`)).status, 200, tail);
  }
  t.deepEqual((await call(`/jobs/${RUNNING_JOB}/vertices/${VERTEX}/watermarks`)).body, [
    { id: '0.currentInputWatermark', value: '1000' }, { id: '1.currentInputWatermark', value: '1001' },
  ]);
});

test('a failed job shows its root exception, and its result is a completed failure', async (t) => {
  const { call } = await start(t);
  const exceptions: { 'root-exception': string; exceptionHistory: { entries: [{ exceptionName: string; concurrentExceptions: object[] }] } } = (await call(`/jobs/${FAILED_JOB}/exceptions`)).body;
  t.is(exceptions['root-exception'], 'TypeError: x is not a function\n    at job.ts:3:1');
  t.is(exceptions.exceptionHistory.entries[0].exceptionName, 'TypeError');
  t.deepEqual(exceptions.exceptionHistory.entries[0].concurrentExceptions, [{
    exceptionName: 'ClusterError', stacktrace: 'ClusterError: gone', timestamp: 2901, failureLabels: {},
    taskName: 'Source: lines -> Map (2/2) - execution #0', location: 'h:7', endpoint: 'h:7', taskManagerId: 'tm',
  }]);
  const result: { status: unknown; 'job-execution-result': { 'application-status': string } } = (await call(`/jobs/${FAILED_JOB}/execution-result`)).body;
  t.deepEqual(result.status, { id: 'COMPLETED' });
  t.is(result['job-execution-result']['application-status'], 'FAILED');
  t.deepEqual((await call(`/jobs/${RUNNING_JOB}/execution-result`)).body, { status: { id: 'IN_PROGRESS' } });
});

test('resource requirements are shown and set per vertex; what is missing or no bounds at all is named', async (t) => {
  const { call, gateway } = await start(t);
  const path = `/jobs/${RUNNING_JOB}/resource-requirements`;
  t.deepEqual((await call(path)).body, { [VERTEX]: { parallelism: { lowerBound: 1, upperBound: 2 } } });
  const put = (target: string, body: unknown) => call(target, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const set = await put(path, { [VERTEX]: { parallelism: { lowerBound: 2, upperBound: 3 } } });
  t.deepEqual([set.status, set.body], [200, {}] as never);
  t.deepEqual(gateway.savepoints, [{ [VERTEX]: { lowerBound: 2, upperBound: 3 } }]);
  t.deepEqual((await put(path, {})).body, { errors: ['Request body does not specify resource requirements.'] } as never);
  t.is((await put(path, { [VERTEX]: { parallelism: { lowerBound: 'two', upperBound: 3 } } })).status, 400);
  t.is((await put(`/jobs/${FAILED_JOB}/resource-requirements`, { [VERTEX]: { parallelism: { lowerBound: 1, upperBound: 1 } } })).status, 409);
  t.is((await put(`/jobs/${'0'.repeat(32)}/resource-requirements`, { [VERTEX]: { parallelism: { lowerBound: 1, upperBound: 1 } } })).status, 404);
  gateway.savepoint = () => Promise.reject(new ClusterError('NO_RESOURCE_AVAILABLE', 'needs 9 slots'));
  t.is((await put(path, { [VERTEX]: { parallelism: { lowerBound: 9, upperBound: 9 } } })).status, 503);
});

test('cancelling answers 202, 404 or 409, and 403 when it is switched off', async (t) => {
  const { call, gateway } = await start(t);
  t.is((await call(`/jobs/${RUNNING_JOB}?mode=cancel`, { method: 'PATCH' })).status, 202);
  t.deepEqual(gateway.cancelled, [RUNNING_JOB]);
  t.is((await call(`/jobs/${'0'.repeat(32)}`, { method: 'PATCH' })).status, 404);
  const over = await call(`/jobs/${FAILED_JOB}`, { method: 'PATCH' });
  t.deepEqual([over.status, over.body], [409, { errors: ['Job cancellation failed because the job has already reached another terminal state (FAILED).'] }] as never);
  const off = await start(t, { cancelEnabled: false });
  t.is((await off.call(`/jobs/${RUNNING_JOB}`, { method: 'PATCH' })).status, 403);
});

test('errors name what was wrong, in the one form that Flink uses', async (t) => {
  const { call } = await start(t);
  const cases: [string, number, RegExp, RequestInit?][] = [
    ['/nope', 404, /^Not found: \/nope$/],
    ['/jobs/xyz', 400, /Bad request, could not parse parameters: Cannot resolve path parameter \(jobid\) from value "xyz"/],
    [`/jobs/${'0'.repeat(32)}`, 404, /NotFoundException: Job 0{32} not found/],
    [`/jobs/${RUNNING_JOB}/vertices/${'0'.repeat(32)}`, 404, /JobVertex 0{32} not found/],
    ['/taskmanagers/nobody', 404, /Could not find TaskExecutor nobody/],
    ['/jars/x/run', 400, /File x does not exist in/, { method: 'POST' }],
    ['/jars/x/run', 400, /Request did not match expected format: field \(parallelism\)/, { method: 'POST', body: '{"parallelism":"two"}', headers: { 'content-type': 'application/json' } }],
    ['/jars/x/run', 400, /JSON/i, { method: 'POST', body: '{"parallel', headers: { 'content-type': 'application/json' } }],
    ['/jars/x/run', 413, /rest\.server\.max-content-length/, { method: 'POST', body: JSON.stringify({ programArgs: 'x'.repeat(20_000) }), headers: { 'content-type': 'application/json' } }],
    ['/jars/upload', 400, /Exactly 1 file must be sent, received 0/, { method: 'POST' }],
    ['/jars/upload', 400, /Only Jar files are allowed/, upload('evil.exe', 'x')],
    ['/jars/upload', 400, /Java archive/, upload('real.jar', new Uint8Array([0x50, 0x4b, 3, 4, 0]))],
    ['/jobmanager/logs/..%2f..%2fpackage.json', 404, /does not exist/],
  ];
  for (const [path, status, text, init] of cases) {
    const answer = await call(path, init);
    t.is(answer.status, status, path);
    t.regex((answer.body as { errors: string[] }).errors[0] ?? '', text, path);
  }
});

test('a program is uploaded once, listed, planned, run with its arguments and deleted', async (t) => {
  const { call, gateway, uploads } = await start(t);
  const first: { filename: string } = (await call('/jars/upload', upload('../../job.mjs', 'export default 1'))).body;
  const again: { filename: string } = (await call('/jars/upload', upload('job.mjs', 'export default 1'))).body;
  t.is(first.filename, again.filename);
  t.true(first.filename.startsWith(uploads));
  const id = first.filename.split('/').at(-1) ?? '';
  t.regex(id, /^[0-9a-f-]{36}_job\.mjs$/);
  t.is(((await call('/jars')).body as { files: unknown[] }).files.length, 1);
  t.is((await call(`/jars/${id}/plan`)).status, 200);
  const json = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  t.deepEqual((await call(`/jars/${id}/run`, json({ programArgs: '--input "a b.txt"', parallelism: 3 }))).body, { jobid: RUNNING_JOB } as never);
  const request = gateway.requests.at(-1);
  t.deepEqual(request?.programArgs, ['--input', 'a b.txt']);
  t.deepEqual(request?.configuration, { 'parallelism.default': '3' });
  t.is((await call(`/jars/${id}`, { method: 'DELETE' })).status, 200);
  t.deepEqual(await readdir(join(uploads, 'flink-web-upload')), []);
});

test('an upload that cannot be stored is answered with the reason, and leaves nothing behind', async (t) => {
  const program = upload('job.mjs', `export default 1; // ${'x'.repeat(3_000_000)}`);
  const uploads = await mkdtemp(join(tmpdir(), 'drey rest '));
  t.teardown(() => rm(uploads, { recursive: true, force: true }));
  const file = join(uploads, 'file');
  await writeFile(file, '');
  await t.throwsAsync(start(t, { uploadDirectory: file }), { message: /^cannot create .*file\/flink-web-upload: .*set web\.upload\.dir/ });
  await rm(file);
  const started = await start(t, { uploadDirectory: file });
  await rm(file, { recursive: true });
  await writeFile(file, '');
  const noDirectory = await started.call('/jars/upload', program);
  t.is(noDirectory.status, 400);
  t.regex((noDirectory.body as { errors: string[] }).errors[0] ?? '', /^FILE_\w+: cannot create .*file\/flink-web-upload: /);

  const hex = 'ab'.repeat(8);
  const ports = { ...systemPorts, random: { ...systemPorts.random, hex: () => hex } };
  await mkdir(join(uploads, 'flink-web-upload'));
  await writeFile(join(uploads, 'flink-web-upload', `.${hex}.uploading`), '');
  const noFile = await (await start(t, { uploadDirectory: uploads, ports })).call('/jars/upload', program);
  t.regex((noFile.body as { errors: string[] }).errors[0] ?? '', /: cannot write .*\.uploading: /);
});

test('an address that is not of this host is refused with the keys to set', async (t) => {
  const error = await t.throwsAsync(start(t, { bindAddress: '203.0.113.7' }), { message: /rest endpoint on 203\.0\.113\.7:0: .*Set rest\.bind-address/ });
  t.is((error as { code?: string }).code, 'CONFIG_INVALID');
});

test('without web.submit.enable the routes of programs do not exist', async (t) => {
  const { call } = await start(t, { submitEnabled: false });
  t.is((await call('/jars')).status, 404);
  t.is((await call('/jars/upload', upload('job.mjs', 'x'))).status, 404);
});

test('when all ports are in use the error names them and the keys to change', async (t) => {
  const { server } = await start(t);
  const error = await t.throwsAsync(start(t, { portCandidates: [server.port] }), { message: /all ports in use/ });
  t.is((error as { code?: string }).code, 'PORT_IN_USE');
  t.true(error.message.includes(String(server.port)));
});

test('checkpoints are shown in the fields of Flink, with quantiles and per subtask', async (t) => {
  const { call } = await start(t);
  const job = `/jobs/${RUNNING_JOB}/checkpoints`;
  const all = (await call(job)).body as Record<string, Record<string, unknown>>;
  t.deepEqual(all['counts'], { restored: 0, total: 3, in_progress: 1, completed: 1, failed: 1 });
  t.like(all['summary'], { state_size: { min: 20, max: 20, avg: 20, p50: 20, p999: 20 }, end_to_end_duration: { avg: 200 } });
  t.like(all['latest'], {
    completed: {
      className: 'completed', id: 1, status: 'COMPLETED', is_savepoint: false, latest_ack_timestamp: 1101, end_to_end_duration: 101,
      num_subtasks: 2, num_acknowledged_subtasks: 2, checkpoint_type: 'CHECKPOINT', external_path: 'file:/c/chk-1', discarded: false,
    },
    savepoint: null,
    failed: { className: 'failed', failure_timestamp: 1200, failure_message: 'Checkpoint expired before completing.' },
    restored: null,
  });
  t.like((await call(`${job}/config`)).body, {
    mode: 'exactly_once', interval: 1000, externalization: { enabled: true, delete_on_cancellation: false },
    checkpoint_storage: 'FileSystemCheckpointStorage', state_backend: 'HashMapStateBackend',
  });
  t.like((await call(`${job}/details/3`)).body, { status: 'IN_PROGRESS', tasks: { [VERTEX]: { status: 'IN_PROGRESS', num_acknowledged_subtasks: 1 } } });
  t.like((await call(`${job}/details/3/subtasks/${VERTEX}`)).body, {
    summary: { checkpoint_duration: { sync: { max: 3 } } },
    subtasks: [{ index: 0, status: 'completed', checkpoint: { sync: 3, async: 4 } }, { index: 1, status: 'pending_or_failed' }],
  });
  for (const path of [`${job}/details/9`, `${job}/details/3/subtasks/${'0'.repeat(32)}`, `/jobs/${'0'.repeat(32)}/checkpoints`]) {
    t.is((await call(path)).status, 404, path);
  }
});

const post = (body: unknown): RequestInit => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

test('a savepoint is triggered once per trigger id, and polled at every path until it is complete', async (t) => {
  const { call, gateway } = await start(t);
  let finish: (location: string) => void = () => undefined;
  gateway.savepoint = () => new Promise((resolve) => (finish = resolve));
  const triggerId = '1'.repeat(32);
  for (const prefix of ['/v1', '']) {
    const { status, body } = await call(`${prefix}/jobs/${RUNNING_JOB}/savepoints`, post({ 'target-directory': '/s', triggerId }));
    t.deepEqual([status, body as unknown], [202, { 'request-id': triggerId }]);
  }
  t.deepEqual(gateway.savepoints, [{ targetDirectory: '/s', cancelJob: false, format: 'CANONICAL' }]);
  const poll = async (): Promise<unknown> => (await call(`/jobs/${RUNNING_JOB}/savepoints/${triggerId}`)).body;
  t.deepEqual(await poll(), { status: { id: 'IN_PROGRESS' }, operation: null });
  finish('file:/s/1');
  t.deepEqual(await poll(), { status: { id: 'COMPLETED' }, operation: { location: 'file:/s/1' } });
  t.is((await call(`/jobs/${RUNNING_JOB}/savepoints/${'2'.repeat(32)}`)).status, 404);
});

test('an operation that failed is answered with status 200 and its cause; checkpoints spell the field their own way', async (t) => {
  const { call, gateway } = await start(t);
  gateway.savepoint = () => Promise.reject(new Error('disk full'));
  const stopped = (await call(`/jobs/${RUNNING_JOB}/stop`, post({ drain: true, targetDirectory: '/s', formatType: 'NATIVE' }))).body as { 'request-id': string };
  t.deepEqual(gateway.savepoints, [{ targetDirectory: '/s', drain: true, format: 'NATIVE' }]);
  const { status, body } = await call(`/jobs/${RUNNING_JOB}/savepoints/${stopped['request-id']}`);
  t.is(status, 200);
  t.like(body, { status: { id: 'COMPLETED' }, operation: { 'failure-cause': { class: 'Error' } } });
  const disposed = (await call('/savepoint-disposal', post({ 'savepoint-path': '/s/1' }))).body as { 'request-id': string };
  t.like((await call(`/savepoint-disposal/${disposed['request-id']}`)).body, { operation: { 'failure-cause': { class: 'Error' } } });
  const taken = (await call(`/jobs/${RUNNING_JOB}/checkpoints`, post({ checkpointType: 'FULL' }))).body as { 'request-id': string };
  t.deepEqual(gateway.savepoints.at(-1), { full: true });
  t.like((await call(`/jobs/${RUNNING_JOB}/checkpoints/${taken['request-id']}`)).body, { operation: { checkpointId: 26 } });
  t.is((await call(`/jobs/${RUNNING_JOB}/checkpoints`, post({ checkpointType: 'INCREMENTAL' }))).status, 400);
});
