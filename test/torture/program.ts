/**
 * The verification job: numbered records → keyed counts and timers → a two-phase sink of files. Every step asks
 * whether its crash point is armed, which is a file in `<directory>/armed`: who removes it crashes there.
 *
 *     pending/<id>    what a writer prepared; seen by nobody
 *     committed/<id>  renamed by the commit; ids ascend by run, then by the writer's serial number
 *     reached         one line for each crash, with its point
 */
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { arg, dataGenerator, job, state, t, WatermarkStrategy } from 'drey';
import type { Sink } from 'drey';

/** What the checker reads: a count of a key, or a timer that fired (`count` 0, `number` its time). */
const LINE = t.object({ key: t.int32, count: t.int32, number: t.int32 });
interface Line {
  readonly key: number;
  readonly count: number;
  readonly number: number;
}

/** Places inside the program that can crash; the driver has some more (rounds.ts). */
export const PROGRAM_POINTS = [
  'map', 'timer', 'before-barrier', 'pre-commit', 'snapshot', 'after-barrier', 'before-commit', 'after-commit', 'restore', 'close',
] as const;
export type ProgramPoint = (typeof PROGRAM_POINTS)[number];

export const KEYS = 13;
/** A record's timer fires so much later in event time. */
export const TIMER_DELAY_MS = 40;

/** Odd numbers come so much later: the barriers of one checkpoint reach a gate at different moments. */
const LAG_MS = 12;

/** What the sink's subtask goes on from. */
interface WriterState {
  readonly serial: number;
  readonly [name: string]: number;
}

class Crashes {
  private readonly directory: string;
  private readonly kills: boolean;

  constructor(directory: string, kills: boolean) {
    this.directory = directory;
    this.kills = kills;
  }

  /** Crashes when the point is armed, and disarms it. */
  at(point: ProgramPoint): void {
    const armed = join(this.directory, 'armed', point);
    if (!existsSync(armed)) return;
    try {
      unlinkSync(armed);
    } catch {
      return; // Another subtask was faster.
    }
    appendFileSync(join(this.directory, 'reached'), `${point}\n`);
    if (this.kills) process.kill(process.pid, 'SIGKILL');
    throw new Error(`planned: ${point}`);
  }
}

interface SinkPlan {
  readonly directory: string;
  readonly run: number;
  readonly crashes: Crashes;
  /** A planted bug: what is prepared is visible at once. */
  readonly commitsEarly: boolean;
}

function fileSink({ directory, run, crashes, commitsEarly }: SinkPlan): Sink<Line, string, WriterState> {
  const commit = (id: string): void => {
    const pending = join(directory, 'pending', id);
    if (existsSync(pending)) renameSync(pending, join(directory, 'committed', id));
    else if (!existsSync(join(directory, 'committed', id))) throw new Error(`transaction ${id} is gone`);
  };
  return {
    name: 'transactions',
    createWriter: ({ restored, subtaskIndex, attemptNumber }) => {
      if (restored.length > 0) crashes.at('restore');
      let serial = Math.max(-1, ...restored.map((each) => each.serial));
      let lines: string[] = [];
      let barrierPassed = false;
      return {
        write: (line) => {
          if (barrierPassed) crashes.at('after-barrier');
          barrierPassed = false;
          lines.push(JSON.stringify(line));
        },
        flush: () => crashes.at('before-barrier'),
        prepareCommit: () => {
          serial += 1;
          const id = [run, serial, subtaskIndex, attemptNumber].map((part) => String(part).padStart(6, '0')).join('-');
          if (lines.length === 0) return [];
          writeFileSync(join(directory, 'pending', id), `${lines.join('\n')}\n`);
          lines = [];
          if (commitsEarly) commit(id);
          crashes.at('pre-commit');
          return [id];
        },
        snapshot: () => {
          crashes.at('snapshot');
          barrierPassed = true;
          return { serial };
        },
        close: () => crashes.at('close'),
      };
    },
    createCommitter: () => ({
      commit: (ids) => {
        crashes.at('before-commit');
        for (const id of ids) commit(id);
        crashes.at('after-commit');
        return Promise.resolve();
      },
    }),
  };
}

/** Makes the directories of a verification; one may be used by several runs, one after another. */
export function makeDirectories(directory: string): void {
  for (const name of ['armed', 'pending', 'committed']) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'reached'), '');
}

/** Arms a crash point. */
export function arm(directory: string, point: ProgramPoint): void {
  writeFileSync(join(directory, 'armed', point), '');
}

/** Disarms what nobody has reached. */
export function disarm(directory: string): void {
  for (const point of PROGRAM_POINTS) rmSync(join(directory, 'armed', point), { force: true });
}

const args = {
  directory: arg.path(), records: arg.int(), rate: arg.int(), run: arg.int({ default: 0 }),
  kills: arg.boolean(), commitsEarly: arg.boolean(),
};

export default job({ name: 'verification', args }, (env, { directory, records, rate, run, kills, commitsEarly }) => {
  const crashes = new Crashes(directory, kills);
  env.enableCheckpointing('50 ms');
  const numbers = dataGenerator({ generate: (n) => n, count: records, ratePerSecond: rate, type: t.int32 });
  const strategy = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n);
  env.fromSource(numbers, strategy, 'numbers').uid('numbers')
    .asyncMap(async (n: number) => {
      if (n % 2 === 1) await scheduler.wait(LAG_MS);
      return n;
    }).uid('lag')
    .map((n) => {
      crashes.at('map');
      return n;
    }).uid('map')
    .keyBy((n) => n % KEYS).process({
      state: { count: state.value(t.int32) },
      output: LINE,
      process: (number, { key, timers, state: { count } }, out) => {
        const next = (count.get() ?? 0) + 1;
        count.set(next);
        timers.registerEventTimeTimer(number + TIMER_DELAY_MS);
        out.emit({ key, count: next, number });
      },
      onTimer: (timestampMs, { key }, out) => {
        crashes.at('timer');
        out.emit({ key, count: 0, number: timestampMs });
      },
    }).uid('counts')
    .sinkTo(fileSink({ directory, run, crashes, commitsEarly })).uid('sink');
});
