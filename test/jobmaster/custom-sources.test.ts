/**
 * User-written split enumerators: in place for registered programs, in a worker thread for artifacts, and
 * what becomes of the job when they fail, hang or end their thread.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Clock } from '../../src/base/ports.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { EnumeratorHost, type EnumeratorOutlet } from '../../src/jobmaster/enumerator-host.ts';
import { EnumeratorWorkers } from '../../src/jobmaster/enumerator-worker.ts';
import type { EnumeratorContext, Source, SourceSplit, SplitEnumerator } from '../../src/graph/functions.ts';
import type { OperatorEventBody } from '../../src/protocol/deployment.ts';
import type { ErrorInfo } from '../../src/protocol/errors.ts';

/** A source of two splits that never finds readers for them by itself. */
function source(createEnumerator: (context: EnumeratorContext<SourceSplit>) => SplitEnumerator): Source<unknown> {
  return { name: 'custom', boundedness: 'bounded', createEnumerator, createReader: () => { throw new Error('read elsewhere'); } };
}

const SILENT: EnumeratorOutlet = { send: () => undefined, snapshotTaken: () => undefined };

function inOrder(context: EnumeratorContext<SourceSplit>): SplitEnumerator {
  const splits: SourceSplit[] = [{ id: 'a' }, { id: 'b' }];
  return {
    addReader: () => undefined,
    handleSplitRequest: (subtaskIndex) => {
      const split = splits.shift();
      if (split === undefined) context.signalNoMoreSplits(subtaskIndex);
      else context.assignSplit(split, subtaskIndex);
    },
    addSplitsBack: (back) => void splits.unshift(...back),
    onEvent: (subtaskIndex, event) => context.sendEvent(subtaskIndex, { echo: event }),
    snapshot: () => splits,
  };
}

test('an enumerator hears its readers, and gets the splits of a failed one back', async (t) => {
  const sent: [number, OperatorEventBody][] = [];
  const host = new EnumeratorHost(source(inOrder), 2, { ...SILENT, send: (subtaskIndex, body) => void sent.push([subtaskIndex, body]) }, null);
  await host.handle({ kind: 'start' });
  for (const subtaskIndex of [0, 1]) await host.handle({ kind: 'readerRegistered', subtaskIndex });
  await host.handle({ kind: 'splitRequest', subtaskIndex: 1 });
  await host.handle({ kind: 'subtaskFailed', subtaskIndex: 1 });
  for (let i = 0; i < 3; i++) await host.handle({ kind: 'splitRequest', subtaskIndex: 0 });
  await host.handle({ kind: 'sourceEvent', subtaskIndex: 0, event: 7 });
  t.deepEqual(sent, [
    [1, { kind: 'addSplits', splits: [{ id: 'a' }] }],
    [0, { kind: 'addSplits', splits: [{ id: 'a' }] }],
    [0, { kind: 'addSplits', splits: [{ id: 'b' }] }],
    [0, { kind: 'noMoreSplits' }],
    [0, { kind: 'sourceEvent', event: { echo: 7 } }],
  ]);
});

test('an enumerator that addresses a subtask without a reader is told so', async (t) => {
  const host = new EnumeratorHost(source(inOrder), 2, SILENT, null);
  await t.throwsAsync(host.handle({ kind: 'splitRequest', subtaskIndex: 1 }), { message: /subtask 1, whose reader is not registered/ });
});

/** Writes a bundle whose source's enumerator runs `body` when it starts. */
async function bundle(t: ExecutionContext, body: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-enumerator-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'job.mjs');
  const api = new URL('../../src/index.js', import.meta.url).href;
  await writeFile(path, `
    import { job } from '${api}';
    const enumerator = (context) => ({
      start() { ${body} },
      addReader(subtaskIndex) { context.assignSplit({ id: 'only' }, subtaskIndex); context.signalNoMoreSplits(subtaskIndex); },
      handleSplitRequest() {}, addSplitsBack() {}, snapshot() { return null; },
    });
    const source = { name: 'custom', boundedness: 'bounded', createEnumerator: enumerator, createReader() {} };
    export default job({ name: 'custom' }, (env) => { env.fromSource(source).discard(); });
  `);
  return path;
}

interface Outcome {
  readonly sent: [number, OperatorEventBody][];
  readonly failed: Promise<ErrorInfo>;
  readonly close: () => void;
}

/** Runs the enumerator in a worker, registers reader 0, and collects what comes. */
async function run(t: ExecutionContext, body: string, clock: Clock = systemPorts.clock): Promise<Outcome> {
  const artifactPath = await bundle(t, body);
  const sent: [number, OperatorEventBody][] = [];
  let fail: (error: ErrorInfo) => void = () => undefined;
  const failed = new Promise<ErrorInfo>((resolve) => (fail = resolve));
  const work = Promise.resolve({ artifactPath, settings: { args: {}, configuration: {} }, nodeId: 1, parallelism: 1, restored: null });
  const runner = new EnumeratorWorkers(clock, 64).run(work, {
    fail,
    snapshotTaken: () => undefined,
    send: (subtaskIndex, message) => {
      sent.push([subtaskIndex, message]);
      if (message.kind === 'noMoreSplits') fail({ code: 'JOB_FAILED', className: '', message: 'complete', stack: '' });
    },
  });
  t.teardown(() => runner.close());
  runner.post({ kind: 'start' });
  runner.post({ kind: 'readerRegistered', subtaskIndex: 0 });
  return { sent, failed, close: () => runner.close() };
}

test('the enumerator of an artifact runs in a worker thread', async (t) => {
  const { sent, failed } = await run(t, '');
  t.is((await failed).message, 'complete');
  t.deepEqual(sent, [[0, { kind: 'addSplits', splits: [{ id: 'only' }] }], [0, { kind: 'noMoreSplits' }]]);
});

test('an enumerator that throws fails its job with what it threw', async (t) => {
  const error = await (await run(t, "throw new RangeError('no splits today');")).failed;
  t.is(error.className, 'RangeError');
  t.regex(error.message, /no splits today/);
});

test('an enumerator that ends its thread fails its job', async (t) => {
  t.regex((await (await run(t, 'process.exit(3);')).failed).message, /ended its thread with code 3/);
});

test('an enumerator that runs out of memory fails its job', async (t) => {
  const error = await (await run(t, 'let hoard = null; for (;;) hoard = { hoard, text: [1, 2, 3, 4, 5, 6, 7, 8] };')).failed;
  t.regex(error.message, /memory/i);
});

test('an enumerator that never returns fails its job when the deadline passes', async (t) => {
  let expire: () => void = () => undefined;
  const clock: Clock = { ...systemPorts.clock, after: (_delayMs, callback) => ((expire = callback), { cancel: () => undefined }) };
  const { failed } = await run(t, 'for (;;);', clock);
  expire();
  t.is((await failed).code, 'DEADLINE_EXCEEDED');
});

test('a program that cannot be loaded fails its job', async (t) => {
  t.is((await (await run(t, '} syntax error {')).failed).code, 'PROGRAM_INVALID');
});
