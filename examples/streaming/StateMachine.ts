/**
 * Watches sessions of a protocol, each a state machine, and raises an alert for every event that its state does not allow.
 *
 *             a ──► W ── b ──► Y ── e ──► Z ── g ──► end
 *     Initial                  ▲          ▲
 *             c ──► X ── b ────┘          │
 *                   └─── d ───────────────┘
 *
 *     bin/flink run examples/streaming/StateMachine.ts --rps 1000 --error-rate 0.01
 *
 * Prints `ALERT 192.168.0.7 : W -> d`. With `--output` alerts go to files, exactly once when checkpoints are on.
 */
import { arg, dataGenerator, fileSink, job, state, t, type Infer } from 'drey';

const Letter = t.literal('a', 'b', 'c', 'd', 'e', 'f', 'g');
const Machine = t.literal('Initial', 'W', 'X', 'Y', 'Z');
const Event = t.object({ address: t.number, type: Letter });
type Letter = Infer<typeof Letter>;
type Machine = Infer<typeof Machine>;
type Event = Infer<typeof Event>;

interface Session {
  readonly address: number;
  machine: Machine | 'Terminal';
}

interface Transition {
  readonly on: Letter;
  readonly to: Machine | 'Terminal';
  readonly probability: number;
}

const TRANSITIONS: Readonly<Record<Machine, readonly [Transition, Transition?]>> = {
  Initial: [{ on: 'a', to: 'W', probability: 0.6 }, { on: 'c', to: 'X', probability: 0.4 }],
  W: [{ on: 'b', to: 'Y', probability: 1 }],
  X: [{ on: 'b', to: 'Y', probability: 0.2 }, { on: 'd', to: 'Z', probability: 0.8 }],
  Y: [{ on: 'e', to: 'Z', probability: 1 }],
  Z: [{ on: 'g', to: 'Terminal', probability: 1 }],
};
const LETTERS: readonly Letter[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Events are made in runs of this many, each from its number alone: any of them can be made again. */
const RUN_LENGTH = 4096;
/** 192.168.0.0 */
const FIRST_ADDRESS = 0xc0a80000;
/** Sessions that go on at the same time. */
const OPEN_SESSIONS_MAX = 1000;

const args = {
  rps: arg.int({ optional: true, description: 'events a second; without it as fast as they are taken' }),
  count: arg.int({ optional: true, description: 'events in all; without it for ever' }),
  'error-rate': arg.number({ default: 0, description: 'how likely an event is one that its state does not allow' }),
  output: arg.path({ optional: true, description: 'a directory for the alerts' }),
};

export default job({ name: 'State machine job', args }, (env, { rps, count, output, 'error-rate': errorRate }) => {
  const alerts = env
    .fromSource(dataGenerator({
      generate: eventsOf(errorRate), type: Event,
      ...(rps === undefined ? {} : { ratePerSecond: rps }), ...(count === undefined ? {} : { count }),
    }), { name: 'Events Generator Source' })
    .uid('events')
    .setParallelism(1) // The events of a session stay in order.
    .keyBy('address')
    .process({
      state: { machine: state.value(Machine) },
      output: t.string,
      process({ address, type }, { state: { machine } }, out) {
        const current = machine.get() ?? 'Initial';
        const next = TRANSITIONS[current].find((transition) => transition?.on === type)?.to;
        if (next === undefined) out.emit(`ALERT ${formatAddress(address)} : ${current} -> ${type}`);
        else if (next === 'Terminal') machine.clear();
        else machine.set(next);
      },
    })
    .name('State Machine')
    .uid('state-machine');

  if (output === undefined) alerts.print();
  else alerts.sinkTo(fileSink<string>({ path: output })).uid('alerts');
});

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** Event number `index`, by looking it up in its run. */
function eventsOf(errorRate: number): (index: number) => Event {
  let run: readonly Event[] = [];
  let made = -1;
  return (index) => {
    const wanted = Math.floor(index / RUN_LENGTH);
    if (wanted !== made) run = makeRun(wanted, errorRate);
    made = wanted;
    return run[index % RUN_LENGTH] as Event;
  };
}

/** Sessions that begin, go on and end, or go wrong, in a random mixture. Each run has addresses of its own. */
function makeRun(number: number, errorRate: number): Event[] {
  const random = randomNumbers(number);
  const sessions: Session[] = [];
  let nextAddress = FIRST_ADDRESS + number * RUN_LENGTH;
  return Array.from({ length: RUN_LENGTH }, () => {
    const begins = random() * OPEN_SESSIONS_MAX >= sessions.length;
    if (begins) sessions.push({ address: nextAddress++ >>> 0, machine: 'Initial' });
    const index = begins ? sessions.length - 1 : Math.floor(random() * sessions.length);
    const session = sessions[index] as Session;
    const type = random() < errorRate ? goWrong(session, random()) : goOn(session, random());
    if (session.machine === 'Terminal') sessions.splice(index, 1);
    return { address: session.address, type };
  });
}

/** Takes a transition that the session's state allows. */
function goOn(session: Session, chance: number): Letter {
  const [first, second = first] = TRANSITIONS[session.machine as Machine];
  const taken = chance < first.probability ? first : second;
  session.machine = taken.to;
  return taken.on;
}

/** An event that the session's state does not allow, after which the session is given up. */
function goWrong(session: Session, chance: number): Letter {
  const allowed = TRANSITIONS[session.machine as Machine].map((transition) => transition?.on);
  const wrong = LETTERS.filter((letter) => !allowed.includes(letter));
  session.machine = 'Terminal';
  return wrong[Math.floor(chance * wrong.length)] as Letter;
}

/** Numbers from 0 to 1 that follow from the seed (Mulberry32). */
function randomNumbers(seed: number): () => number {
  let state32 = (seed + 1) * 0x9e3779b9;
  return () => {
    state32 = (state32 + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state32 ^ (state32 >>> 15), 1 | state32);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
