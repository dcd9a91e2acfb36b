/** The shipped examples, run to their end at parallelism 1 and 2, their output compared with an independent account of it. */
import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import asyncEnrichment from '../../examples/streaming/AsyncEnrichment.ts';
import customSource from '../../examples/streaming/CustomSource.ts';
import fraudDetection from '../../examples/streaming/FraudDetection.ts';
import sideOutput from '../../examples/streaming/SideOutput.ts';
import socketWordCount from '../../examples/streaming/SocketWordCount.ts';
import startEnd from '../../examples/streaming/StartEnd.ts';
import stateMachine from '../../examples/streaming/StateMachine.ts';
import wordCount from '../../examples/streaming/WordCount.ts';
import type { JobProgram } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';

/** What a job printed, line by line, without the subtask that `print` puts first at parallelism 2. */
async function printed(program: JobProgram, words: readonly string[], parallelism: number): Promise<readonly string[]> {
  let text = '';
  await using cluster = await MiniCluster.start({
    slots: parallelism,
    configuration: { 'parallelism.default': String(parallelism) },
    onPrint: (_stream, part) => void (text += part),
  });
  await cluster.run(program, program.parseArgs(words));
  return text.split('\n').filter((line) => line !== '').map((line) => line.replace(/^\d+> /, '').replace(/^(\w+):\d+> /, '$1> '));
}

/** Total of each word: the last of its running counts. Fails unless the counts of every word are 1, 2, 3, … */
function totalsOf(t: ExecutionContext, lines: readonly string[]): Readonly<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const line of lines) {
    const [, word = '', count = ''] = line.match(/^\((.*),(\d+)\)$/) ?? [];
    t.is(Number(count), (totals[word] ?? 0) + 1, line);
    totals[word] = Number(count);
  }
  return totals;
}

function countsOf(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words.filter((candidate) => candidate !== '')) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey examples-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const TEXT = 'To be, or not to be:\r\nthat is the question.\n\nÜber 40 squirrels; to sleep\nno more, and by a sleep to say we end';

for (const parallelism of [1, 2]) {
  test(`WordCount counts its own text at parallelism ${parallelism}`, async (t) => {
    const totals = totalsOf(t, await printed(wordCount, [], parallelism));
    t.like(totals, { drey: 3, squirrel: 3, the: 10, nuts: 3 });
  });

  test(`WordCount counts a file at parallelism ${parallelism}`, async (t) => {
    const directory = await newDirectory(t);
    const input = join(directory, 'some text.txt');
    await writeFile(input, TEXT);
    t.deepEqual(totalsOf(t, await printed(wordCount, ['--input', input], parallelism)), countsOf(TEXT.toLowerCase().split(/\W+/)));
  });

  test(`WordCount writes files of (word,count) at parallelism ${parallelism}`, async (t) => {
    const directory = await newDirectory(t);
    const [input, output] = [join(directory, 'in.txt'), join(directory, 'out')];
    await writeFile(input, TEXT);
    await printed(wordCount, ['--input', input, '--output', output], parallelism);
    const files = await readdir(output, { recursive: true, withFileTypes: true });
    const parts = files.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8'));
    const lines = (await Promise.all(parts)).flatMap((text) => text.split('\n')).filter((line) => line !== '');
    t.deepEqual(totalsOf(t, lines), countsOf(TEXT.toLowerCase().split(/\W+/)));
  });

  test(`SocketWordCount counts what a server sends at parallelism ${parallelism}`, async (t) => {
    const server = createServer((socket) => socket.end('now and then\nand now\n')).listen(0, '127.0.0.1');
    t.teardown(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const lines = await printed(socketWordCount, ['--hostname', '127.0.0.1', '--port', String(port)], parallelism);
    t.deepEqual(totalsOf(t, lines), { now: 2, and: 2, then: 1 });
  });

  test(`StartEnd pairs what begins with what ends, and forgets the rest, at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(startEnd, [], parallelism);
    t.deepEqual(lines.toSorted(), ['minutes> (a,12)', 'minutes> (a,241)', 'minutes> (b,30)', 'minutes> (c,239)', 'unfinished> d']);
  });

  test(`FraudDetection finds a small payment and a large one within a minute at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(fraudDetection, [], parallelism);
    t.deepEqual(lines.toSorted(), ['Alert{id=2}', 'Alert{id=3}']);
  });

  test(`StateMachine alerts of what a session does not allow at parallelism ${parallelism}`, async (t) => {
    const words = ['--count', '10000', '--error-rate', '0.02'];
    const lines = await printed(stateMachine, words, parallelism);
    const expected = alertsOf(eventsOf(stateMachine, words, 10_000));
    t.true(expected.length > 100, `${expected.length} alerts`);
    t.deepEqual(lines.toSorted(), expected.toSorted());
  });

  test(`SideOutput separates words from the rest at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(sideOutput, [], parallelism);
    const counts = lines.filter((line) => line.startsWith('count> ')).map((line) => line.slice('count> '.length));
    t.deepEqual(totalsOf(t, counts), { call: 1, me: 2, at: 1, or: 1, write: 2, to: 1, room: 1, floor: 1, soon: 1 });
    t.deepEqual(lines.filter((line) => line.startsWith('rejected> ')).toSorted(), [
      'rejected> {"token":"12","reason":"has a digit"}',
      'rejected> {"token":"3rd","reason":"has a digit"}',
      'rejected> {"token":"555-0199","reason":"has a digit"}',
    ]);
  });
}

/** The records that the job's generator makes. */
function eventsOf(program: JobProgram, words: readonly string[], count: number): readonly { readonly address: number; readonly type: string }[] {
  const nodes = program.build({ args: program.parseArgs(words), configuration: {} }).nodes;
  const source = nodes.map(({ spec }) => spec).find(({ kind }) => kind === 'source.datagen');
  if (source?.kind !== 'source.datagen') throw new Error('the job has no generator');
  return Array.from({ length: count }, (_, index) => source.user.generate(index) as { readonly address: number; readonly type: string });
}

/** Sessions as texts: allowed is what begins one of the four whole sessions. */
function alertsOf(events: readonly { readonly address: number; readonly type: string }[]): string[] {
  const whole = ['abeg', 'cbeg', 'cdg'];
  const names: Readonly<Record<string, string>> = { '': 'Initial', a: 'W', c: 'X', ab: 'Y', cb: 'Y', abe: 'Z', cbe: 'Z', cd: 'Z' };
  const sessions = new Map<number, string>();
  return events.flatMap(({ address, type }) => {
    const before = sessions.get(address) ?? '';
    if (!whole.some((each) => each.startsWith(before + type))) {
      const shown = `${address >>> 24}.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`;
      return [`ALERT ${shown} : ${names[before]} -> ${type}`];
    }
    sessions.set(address, whole.includes(before + type) ? '' : before + type);
    return [];
  });
}

for (const parallelism of [1, 2]) {
  test(`CustomSource reads every number once at parallelism ${parallelism}`, async (t) => {
    const numbers = fibonacciNumbers(250);
    const lines = (await printed(customSource, ['--count', '250'], parallelism)).map(Number);
    t.deepEqual(lines.filter((n) => !numbers.includes(n)), []);
    t.is(lines.length, 250);
    for (const rest of [0, 1]) t.is(Math.max(...lines.filter((n) => n % 2 === rest)), Math.max(...numbers.filter((n) => n % 2 === rest)));
  });
}

function fibonacciNumbers(count: number): readonly number[] {
  const numbers = [0, 1];
  while (numbers.length < count) numbers.push(((numbers.at(-1) ?? 0) + (numbers.at(-2) ?? 0)) % 1_000_007);
  return numbers;
}

const CUSTOMERS = ['Ada', 'Barbara', 'Grace', 'Hedy', 'Katherine', 'Margaret'];
const ENRICHED = Array.from({ length: 40 }, (_, id) => `order ${id} of ${CUSTOMERS[(id * 5) % CUSTOMERS.length]}`);

test('AsyncEnrichment keeps the order of the input', async (t) => {
  t.deepEqual(await printed(asyncEnrichment, ['--orders', '40'], 1), ENRICHED);
});

test('AsyncEnrichment yields every order once when results may overtake each other', async (t) => {
  const lines = await printed(asyncEnrichment, ['--orders', '40', '--unordered'], 2);
  t.deepEqual(lines.toSorted(), ENRICHED.toSorted());
});
