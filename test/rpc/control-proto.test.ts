/** The generated messages: equal to what control.proto generates, and free of code generation at run time. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { METHODS, frameCodec } from '../../src/protocol/control.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const run = promisify(execFile);

test('src/protocol/control.generated.* are what control.proto generates', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'drey-proto-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await run('bash', [join(ROOT, 'scripts/proto.sh'), directory]);
  for (const name of ['control.generated.js', 'control.generated.d.ts']) {
    t.is(await readFile(join(directory, name), 'utf8'), await readFile(join(ROOT, 'src/protocol', name), 'utf8'), name);
  }
});

test('Messages work where code generation from strings is forbidden', async (t) => {
  const program = `
    const { METHODS, frameCodec } = await import(${JSON.stringify(new URL('../../src/protocol/control.js', import.meta.url).href)});
    const body = METHODS.allocateSlot.request.encode({ job: 'j', allocation: 'a', slotIndex: 7 });
    console.log(METHODS.allocateSlot.request.decode(body).slotIndex, typeof frameCodec);`;
  const { stdout } = await run(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program]);
  t.is(stdout.trim(), '7 object');
});

test('A frame survives its encoding', (t) => {
  const body = METHODS.cancelTask.request.encode({ job: 'j', generation: 2, attempt: 'a' });
  const frame = { version: 1, kind: 1, epoch: 4, incarnation: 'i', call: 9, method: 'cancelTask', deadlineMs: 10, body };
  t.like(METHODS.cancelTask.request.decode(frameCodec.decode(frameCodec.encode(frame)).body), { job: 'j', generation: 2, attempt: 'a' });
});
