/**
 * Drey against Apache Flink: `npm run bench:flink -- [--only workload] [--rounds n] [--scale f] [--json file] [--write-docs]`.
 *
 * Both clusters run side by side and idle in turn. Each round runs the same job on Flink and then on Drey
 * (the next round the other way round), and fails unless the outputs agree in count and hash.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

import { delay } from '../../src/base/ports.ts';
import { awaitJob, type Cluster, type JobRun } from './cluster-client.ts';
import { startDrey } from './drey-distribution.ts';
import { FLINK_VERSION, prepareFlink, startFlink, type ClusterOptions, type FlinkDistribution } from './flink-distribution.ts';
import { benchmarkText } from './generate-text.ts';
import { clock, residentBytes } from './processes.ts';
import { performancePage, rowOf, table, type Machine, type Measure, type Round, type Row } from './report.ts';

const ROUNDS = 3;
const IDLE_BEFORE_MEMORY_MS = 3000;
/** Part of a workload that warms both systems up before the first round. */
const WARM_UP_SCALE = 0.1;
const ONE_TASK_MANAGER: ClusterOptions = { taskManagers: 1, slotsPerTaskManager: 4 };
const TWO_TASK_MANAGERS: ClusterOptions = { taskManagers: 2, slotsPerTaskManager: 1 };

/** A job whose records per second are compared. */
interface RateWorkload extends Measure {
  readonly kind: 'rate';
  readonly cluster: ClusterOptions;
  readonly job: string;
  readonly records: number;
  /** Arguments of the job for so many records. */
  readonly args: (records: number) => readonly string[];
}

/** A property of the clusters themselves. */
interface ClusterWorkload extends Measure {
  readonly kind: 'start' | 'submit' | 'memory';
}

type Workload = RateWorkload | ClusterWorkload;

const WORKLOADS: readonly Workload[] = [
  { ...rate('chain', 1, 2.0), job: 'Chain', records: 200e6, args: (records) => [`${records}`, '1'] },
  ...([1, 2] as const).map((p) => ({
    ...rate('wordcount', p, p === 1 ? 1.5 : 1.7),
    unit: 'M words/s' as const,
    job: 'WordCount',
    records: 20e6,
    args: (words: number) => [benchmarkText(words / 20e6).path, `${p}`],
  })),
  ...([1, 2] as const).map((p) => keyed('keyed-100k', p, { bar: p === 1 ? 2.0 : 1.5, keys: 100_000, cluster: ONE_TASK_MANAGER })),
  keyed('keyed-1m', 1, { bar: 1.5, keys: 1_000_000, cluster: ONE_TASK_MANAGER }),
  keyed('keyed-100k-tcp', 2, { bar: 1.2, keys: 100_000, cluster: TWO_TASK_MANAGERS }),
  windowed('tumbling', 20e6, 2.0),
  windowed('sliding', 3e6, 1.5),
  windowed('session', 5e6, 1.5),
  { kind: 'start', workload: 'start', parallelism: 4, unit: 's', bar: 5 },
  { kind: 'submit', workload: 'submit', parallelism: 1, unit: 's', bar: 2 },
  { kind: 'memory', workload: 'memory', parallelism: 4, unit: 'MB', bar: 2 },
];

function rate(workload: string, parallelism: number, bar: number): Measure & Pick<RateWorkload, 'kind' | 'cluster'> {
  return { kind: 'rate', workload, parallelism, unit: 'M rec/s', bar, cluster: ONE_TASK_MANAGER };
}

function keyed(
  workload: string,
  parallelism: number,
  { bar, keys, cluster }: { readonly bar: number; readonly keys: number; readonly cluster: ClusterOptions },
): RateWorkload {
  const args = (records: number): string[] => [`${records}`, `${parallelism}`, `${keys}`];
  return { ...rate(workload, parallelism, bar), cluster, job: 'KeyedCount', records: 20e6, args };
}

/** Sums over 10 000 keys in event-time windows. */
function windowed(kind: 'tumbling' | 'sliding' | 'session', records: number, bar: number): RateWorkload {
  return { ...rate(`window-${kind}`, 1, bar), job: 'Windows', records, args: (count) => [`${count}`, '1', '10000', kind] };
}

/** What the command line asks for. */
interface Settings {
  readonly only: string | null;
  readonly rounds: number;
  readonly scale: number;
  readonly json: string | null;
  readonly writeDocs: boolean;
}

/** Both systems with the same processes and slots. */
interface Pair {
  readonly drey: Cluster;
  readonly flink: Cluster;
  readonly startMs: { readonly drey: number; readonly flink: number };
}

async function withPair<T>(flink: FlinkDistribution, options: ClusterOptions, action: (pair: Pair) => Promise<T>): Promise<T> {
  const dreyStarted = await startDrey(options);
  try {
    const flinkStarted = await startFlink(flink, options);
    try {
      const startMs = { drey: dreyStarted.startMs, flink: flinkStarted.startMs };
      return await action({ drey: dreyStarted.cluster, flink: flinkStarted.cluster, startMs });
    } finally {
      await flinkStarted.cluster.stop();
    }
  } finally {
    await dreyStarted.cluster.stop();
  }
}

async function runJob(cluster: Cluster, job: string, args: readonly string[]): Promise<JobRun> {
  const { jobId } = cluster.submit(job, args);
  return awaitJob(cluster.restUrl, jobId);
}

async function measureRate(pair: Pair, workload: RateWorkload, settings: Settings): Promise<Round[]> {
  const scaled = (scale: number): number => Math.max(1000, Math.round(workload.records * scale));
  const warmUp = workload.args(scaled(settings.scale * WARM_UP_SCALE));
  await runJob(pair.flink, workload.job, warmUp);
  await runJob(pair.drey, workload.job, warmUp);
  const records = scaled(settings.scale);
  const args = workload.args(records);
  const rounds: Round[] = [];
  for (let i = 0; i < settings.rounds; i++) {
    const order = i % 2 === 0 ? [pair.flink, pair.drey] : [pair.drey, pair.flink];
    const runs = new Map<string, JobRun>();
    for (const cluster of order) runs.set(cluster.name, await runJob(cluster, workload.job, args));
    rounds.push(roundOf(workload, records, runs));
  }
  return rounds;
}

function roundOf(workload: Measure, records: number, runs: ReadonlyMap<string, JobRun>): Round {
  const drey = runs.get('drey');
  const flink = runs.get('flink');
  if (drey === undefined || flink === undefined) throw new Error('a round runs on both systems');
  for (const name of ['count', 'hash']) {
    if (drey.accumulators[name] === undefined || drey.accumulators[name] !== flink.accumulators[name]) {
      throw new Error(
        `${workload.workload}: outputs differ in ${name}: Drey ${JSON.stringify(drey.accumulators)}, Flink ${JSON.stringify(flink.accumulators)}`,
      );
    }
  }
  const round = { drey: records / drey.durationMs / 1000, flink: records / flink.durationMs / 1000 };
  console.error(`${workload.workload} p=${workload.parallelism}: Drey ${round.drey.toFixed(2)}, Flink ${round.flink.toFixed(2)} ${workload.unit}`);
  return round;
}

async function measureSubmit(pair: Pair, settings: Settings): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = -1; i < settings.rounds; i++) {
    const flink = pair.flink.submit('Chain', ['1000', '1']);
    await awaitJob(pair.flink.restUrl, flink.jobId);
    const drey = pair.drey.submit('Chain', ['1000', '1']);
    await awaitJob(pair.drey.restUrl, drey.jobId);
    if (i >= 0) rounds.push({ drey: drey.durationMs / 1000, flink: flink.durationMs / 1000 });
  }
  return rounds;
}

/** Start times and resting memory need fresh clusters each round. */
async function measureFresh(flink: FlinkDistribution, kinds: ReadonlySet<string>, settings: Settings): Promise<{ start: Round[]; memory: Round[] }> {
  const start: Round[] = [];
  const memory: Round[] = [];
  for (let i = 0; i < settings.rounds; i++) {
    await withPair(flink, ONE_TASK_MANAGER, async (pair) => {
      start.push({ drey: pair.startMs.drey / 1000, flink: pair.startMs.flink / 1000 });
      if (!kinds.has('memory')) return;
      await delay(clock, IDLE_BEFORE_MEMORY_MS);
      memory.push({ drey: residentBytes(pair.drey.pids) / 1e6, flink: residentBytes(pair.flink.pids) / 1e6 });
    });
  }
  return { start, memory };
}

async function measureAll(flink: FlinkDistribution, settings: Settings): Promise<Row[]> {
  const chosen = WORKLOADS.filter(({ workload }) => settings.only === null || workload === settings.only);
  if (chosen.length === 0) {
    throw new Error(`unknown workload '${settings.only}': one of ${[...new Set(WORKLOADS.map(({ workload }) => workload))].join(', ')}`);
  }
  const rounds = new Map<Workload, Round[]>();
  for (const options of [ONE_TASK_MANAGER, TWO_TASK_MANAGERS]) {
    const here = chosen.filter((workload) => (workload.kind === 'rate' ? workload.cluster === options : workload.kind === 'submit' && options === ONE_TASK_MANAGER));
    if (here.length === 0) continue;
    await withPair(flink, options, async (pair) => {
      for (const workload of here) {
        rounds.set(workload, workload.kind === 'rate' ? await measureRate(pair, workload, settings) : await measureSubmit(pair, settings));
      }
    });
  }
  const kinds = new Set(chosen.map(({ kind }) => kind as string));
  if (kinds.has('start') || kinds.has('memory')) {
    const fresh = await measureFresh(flink, kinds, settings);
    for (const workload of chosen) if (workload.kind === 'start' || workload.kind === 'memory') rounds.set(workload, fresh[workload.kind]);
  }
  return chosen.map((workload) => rowOf(workload, rounds.get(workload) ?? []));
}

function machineOf(flink: FlinkDistribution): Machine {
  return {
    cpu: cpuModel(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    java: flink.javaVersion,
    flink: FLINK_VERSION,
    date: new Date(clock.nowMs()).toISOString().slice(0, 10),
  };
}

function cpuModel(): string {
  return /^model name\s*:\s*(.*)$/mu.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown processor';
}

function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      scale: { type: 'string' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds ?? ROUNDS);
  const scale = Number(values.scale ?? 1);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: expected a positive integer`);
  if (!(scale > 0 && scale <= 1)) throw new Error(`--scale ${values.scale}: expected a number above 0, up to 1`);
  return { only: values.only ?? null, rounds, scale, json: values.json ?? null, writeDocs: values['write-docs'] };
}

async function main(): Promise<void> {
  const settings = settingsOf(process.argv.slice(2));
  if (settings.writeDocs && (settings.scale !== 1 || settings.only !== null)) throw new Error('--write-docs needs the whole benchmark at full scale');
  const flink = prepareFlink();
  const rows = await measureAll(flink, settings);
  console.log(table(rows));
  if (settings.scale !== 1) console.log(`\nScale ${settings.scale}: a quick look, not a record. Fixed costs weigh more than in the full run.`);
  if (settings.json !== null) writeFileSync(settings.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (settings.writeDocs) writeFileSync('docs/performance.md', performancePage(rows, machineOf(flink)));
}

await main();
