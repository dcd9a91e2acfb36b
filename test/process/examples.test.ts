/** The examples that Flink has too, from the command line on a real cluster. What each prints in detail: test/examples. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { eventually, HOME, install } from './installation.ts';

/** By name: arguments, how many lines it prints, and one of them. */
const EXAMPLES: readonly [name: string, words: readonly string[], lines: number, one: RegExp][] = [
  ['StartEnd', [], 5, /^minutes:\d> \(b,30\)$/m],
  ['SessionWindowing', [], 5, /^\d> \(b,1,3\)$/m],
  ['TopSpeedWindowing', ['--cars', '2', '--seconds', '60'], 38, /^\d> \{"car":1,.*"kmPerHour":100/m],
  ['WindowJoin', ['--records', '60'], 201, /^\d> \(jerry,\d,\d+\)$/m],
  ['StateMachine', ['--count', '4096', '--error-rate', '0.01'], 47, /^\d> ALERT 192\.168\.\d+\.\d+ : [A-Z]\w* -> [a-g]$/m],
  ['FraudDetection', [], 2, /^\d> Alert\{id=3\}$/m],
];

test('examples run from the command line on a cluster', async (t) => {
  const cluster = await install(t, 2);
  t.is((await cluster.run('start-cluster.sh')).code, 0);
  let linesBefore = 0;
  const printed = async (): Promise<readonly string[]> => {
    return (await cluster.logOf('taskexecutor', 'out')).split('\n').filter((line) => line !== '').slice(linesBefore);
  };
  for (const [name, words, lines, one] of EXAMPLES) {
    const ran = await cluster.run('flink', ['run', '-p', '2', join(HOME, `examples/streaming/${name}.ts`), ...words]);
    t.is(ran.code, 0, `${name}: ${ran.error}`);
    const out = await printed();
    t.is(out.length, lines, `${name}:\n${out.join('\n')}`);
    t.regex(out.join('\n'), one, name);
    linesBefore += out.length;
  }

  const server = createServer((socket) => void socket.write('now and then\nand now\n')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const file = join(HOME, 'examples/streaming/SocketWindowWordCount.ts');
  const ran = await cluster.run('flink', ['run', '-d', '-p', '2', file, '--hostname', '127.0.0.1', '--port', String(port), '--windowSize', '50']);
  const [, jobId = ''] = /JobID ([0-9a-f]{32})/.exec(ran.out) ?? [];
  await eventually('five words counted', async () => {
    const counts = (await printed()).map((line) => Number(/^(?:now|and|then) : (\d)$/.exec(line)?.[1]));
    return counts.reduce((sum, count) => sum + count, 0) === 5 ? counts : null;
  });
  t.is((await cluster.run('flink', ['cancel', jobId])).code, 0);
  t.is((await cluster.run('stop-cluster.sh')).code, 0);
});
