/** While a program is built, what differs between processes throws; before and after, and for Node itself, nothing changes. */
import test from 'ava';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { withBuildTraps } from '../../src/graph/build-traps.ts';
import { ClusterError } from '../../src/protocol/errors.ts';

const TRAPPED: Readonly<Record<string, () => unknown>> = {
  'Date.now()': () => Date.now(),
  'new Date()': () => new Date(),
  'Date()': () => Date(),
  'Math.random()': () => Math.random(),
  'performance.now()': () => performance.now(),
  'setTimeout()': () => setTimeout(() => undefined, 1),
  'setInterval()': () => setInterval(() => undefined, 1),
  'setImmediate()': () => setImmediate(() => undefined),
  'crypto.randomUUID()': () => crypto.randomUUID(),
  'crypto.getRandomValues()': () => crypto.getRandomValues(new Uint8Array(1)),
  'process.env': () => process.env['HOME'],
  'process.hrtime()': () => process.hrtime.bigint(),
  'fetch()': () => fetch('http://127.0.0.1:1/'),
  'fs.existsSync()': () => existsSync('/'),
  'os.hostname()': () => hostname(),
};

for (const [what, call] of Object.entries(TRAPPED)) {
  test.serial(`${what} is refused while a program is built, and works afterwards`, async (t) => {
    const error = t.throws(() => withBuildTraps(call), { instanceOf: ClusterError });
    t.is(error?.code, 'PROGRAM_INVALID');
    t.true(error?.message.startsWith(`${what} is not allowed while the job is being built`));
    t.regex(error?.message ?? '', /args.*open\(\)/);
    await t.notThrowsAsync(async () => {
      const result = call();
      if (what === 'fetch()') await (result as Promise<unknown>).catch(() => undefined);
      if (what === 'setInterval()') clearInterval(result as NodeJS.Timeout);
    });
  });
}

test.serial('a named import of a built-in module is trapped too', (t) => {
  t.throws(() => withBuildTraps(() => randomUUID()), { message: /crypto\.randomUUID\(\)/ });
  t.is(randomUUID().length, 36);
});

test.serial('what is the same in every process stays free', (t) => {
  withBuildTraps(() => {
    t.is(new Date(0).getTime(), 0);
    t.true(new Date(5) instanceof Date);
    t.is(Date.parse('1970-01-01T00:00:00Z'), 0);
    t.is(createHash('sha256').update('x').digest('hex').length, 64);
    t.is(Math.max(1, 2), 2);
  });
});

test.serial('a function captured under the traps works when they are gone', (t) => {
  const { now, random } = withBuildTraps(() => ({ now: Date.now, random: Math.random }));
  t.true(now() > 0);
  t.true(random() < 1);
});

test.serial('the traps go when the build throws', (t) => {
  t.throws(() => withBuildTraps(() => { throw new RangeError('build'); }), { instanceOf: RangeError });
  t.true(Date.now() > 0);
});

test.serial('nested builds keep the traps until the outer one ends', (t) => {
  withBuildTraps(() => {
    withBuildTraps(() => undefined);
    t.throws(() => Date.now());
  });
  t.true(Date.now() > 0);
});
