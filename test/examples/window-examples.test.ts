/** The shipped examples with windows, run to their end, their output compared with an independent account of it. */
import test from 'ava';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import sessionWindowing from '../../examples/streaming/SessionWindowing.ts';
import socketWindowWordCount from '../../examples/streaming/SocketWindowWordCount.ts';
import topSpeedWindowing from '../../examples/streaming/TopSpeedWindowing.ts';
import windowJoin from '../../examples/streaming/WindowJoin.ts';
import type { JobProgram } from '../../src/index.ts';
import { MiniCluster } from '../../src/testing/index.ts';

/** What a job printed, line by line, without the subtask; `onLine` sees each line as it comes. */
async function printed(program: JobProgram, words: readonly string[], parallelism: number, onLine: (line: string) => void = () => undefined) {
  const lines: string[] = [];
  let rest = '';
  await using cluster = await MiniCluster.start({
    slots: parallelism,
    configuration: { 'parallelism.default': String(parallelism) },
    onPrint(_stream, part) {
      const parts = (rest + part).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts.map((each) => each.replace(/^\d+> /, ''))) {
        lines.push(line);
        onLine(line);
      }
    },
  });
  await cluster.run(program, program.parseArgs(words));
  return lines;
}

for (const parallelism of [1, 2]) {
  test(`SessionWindowing adds up the sessions at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(sessionWindowing, [], parallelism);
    t.deepEqual(lines.toSorted(), ['(a,1,1)', '(a,10,1)', '(b,1,3)', '(c,11,1)', '(c,6,1)']);
  });

  test(`TopSpeedWindowing prints the top speed of the last 10 s every 50 m at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(topSpeedWindowing, ['--cars', '3', '--seconds', '120'], parallelism);
    t.deepEqual(lines.toSorted(), topSpeeds(3, 120).toSorted());
  });

  test(`WindowJoin joins what falls into the same window at parallelism ${parallelism}`, async (t) => {
    const lines = await printed(windowJoin, ['--records', '90', '--windowSize', '1500'], parallelism);
    t.deepEqual(lines.toSorted(), joined(90, 1500).toSorted());
  });
}

interface Reading {
  readonly kmPerHour: number;
  readonly meters: number;
  readonly at: number;
}

/** Keeps a car's whole history and looks back over it. */
function topSpeeds(cars: number, seconds: number): string[] {
  const lines: string[] = [];
  for (let car = 0; car < cars; car++) {
    const history: Reading[] = [];
    let [kmPerHour, meters] = [50, 0];
    let reference: Reading | null = null;
    for (let second = 0; second < seconds; second++) {
      const speedsUp = Math.sin(second / (5 + car)) + Math.sin(second * 1.7) / 2 > 0;
      kmPerHour = speedsUp ? Math.min(100, kmPerHour + 5) : Math.max(0, kmPerHour - 5);
      meters += kmPerHour / 3.6;
      const reading = { kmPerHour, meters, at: Date.UTC(2026, 0, 1) + second * 1000 };
      history.push(reading);
      reference ??= reading;
      if (meters - reference.meters <= 50) continue;
      reference = reading;
      const recent = history.filter(({ at }) => at > reading.at - 10_000);
      const top = Math.max(...recent.map((each) => each.kmPerHour));
      lines.push(JSON.stringify({ car, ...recent.find((each) => each.kmPerHour === top) }));
    }
  }
  return lines;
}

function joined(records: number, windowSize: number): string[] {
  const names = ['tom', 'jerry', 'alice', 'bob', 'john', 'grace'];
  const nameOf = (index: number): string | undefined => names[(index * 7 + (index % 3)) % 6];
  const windowOf = (index: number): number => Math.floor((index * 100) / windowSize);
  const all = Array.from({ length: records }, (_, index) => index);
  return all.flatMap((grade) => all.flatMap((salary) => {
    if (nameOf(grade) !== nameOf(salary + 1) || windowOf(grade) !== windowOf(salary)) return [];
    return [`(${nameOf(grade)},${1 + ((grade * 3) % 5)},${1 + ((salary * 37) % 10_000)})`];
  }));
}

test('SocketWindowWordCount counts every word in some window', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.write('now and then\nand now\n');
  }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const counts: Record<string, number> = {};
  // Windows of processing time do not fire at the end of the input: the server stays until everything was counted.
  const onLine = (line: string): void => {
    const [word = '', count] = line.split(' : ');
    counts[word] = (counts[word] ?? 0) + Number(count);
    if (Object.values(counts).reduce((sum, each) => sum + each, 0) === 5) for (const socket of sockets) socket.end();
  };
  const { port } = server.address() as AddressInfo;
  await printed(socketWindowWordCount, ['--hostname', '127.0.0.1', '--port', String(port), '--windowSize', '50'], 2, onLine);
  t.deepEqual(counts, { now: 2, and: 2, then: 1 });
});
