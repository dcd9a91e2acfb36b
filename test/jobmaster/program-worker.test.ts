/** Build functions that misbehave, in the worker thread that the JobManager builds programs in: refused with the reason, never a hang. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemPorts } from '../../src/base/system-ports.ts';
import { bundleJob } from '../../src/client/bundle.ts';
import { ProgramWorkers, type ProgramBuild } from '../../src/jobmaster/program-worker.ts';
import { ClusterError, type ErrorCode } from '../../src/protocol/errors.ts';
import type { JobId } from '../../src/protocol/ids.ts';
import { ArtifactCache } from '../../src/storage/artifact-cache.ts';

/** The body of a build function, which begins in column 3 of line 3. */
async function build(t: ExecutionContext, body: string, timeoutMs = 20_000): Promise<ProgramBuild> {
  const directory = await mkdtemp(join(tmpdir(), 'drey-build-'));
  const workers = new ProgramWorkers(systemPorts.clock, timeoutMs);
  t.teardown(async () => {
    await workers.close();
    await rm(directory, { recursive: true, force: true });
  });
  await writeFile(join(directory, 'job.ts'), `import { job } from 'drey';\nexport default job({ name: 'x' }, (env) => {\n  ${body}\n});\n`);
  const { artifactId, code } = await bundleJob(join(directory, 'job.ts'));
  return workers.build({
    artifactPath: await new ArtifactCache(join(directory, 'cache')).put(artifactId, code),
    program: { kind: 'artifact', artifactId, sizeBytes: code.length, apiVersion: '1' },
    programArgs: [],
    configuration: {},
    jobId: '0'.repeat(32) as JobId,
    submittedAtMs: 0,
    expectedPlanDigest: null,
  });
}

const FAULTS: readonly [what: string, body: string, code: ErrorCode, message: RegExp, timeoutMs?: number][] = [
  ['an error', 'env.missing.print();', 'PROGRAM_INVALID', /^the build function of job 'x' failed at job\.ts:3:15: TypeError: Cannot read/],
  ['a text that is thrown', "throw 'no';", 'PROGRAM_INVALID', /^the build function of job 'x' failed: it threw "no", which is no Error/],
  [
    'a rejection that nobody handles', "void Promise.reject(new Error('stray')); env.fromElements(1).print();",
    'PROGRAM_INVALID', /^an error that nothing caught at job\.ts:3:23 while the program was built: Error: stray$/,
  ],
  ['process.exit', 'process.exit(3);', 'PROGRAM_INVALID', /^the program ended its thread while it was built: process\.exit\(3\)$/],
  [
    'memory without end', 'const all = []; for (;;) all.push(new Array(100_000).fill(1));',
    'PROGRAM_INVALID', /^the program needs more than 256 MB of memory to be built: a build function only describes the job/,
  ],
  ['no return', 'for (;;);', 'DEADLINE_EXCEEDED', /^building the program took longer than 1000 ms; .*must return at once$/, 1000],
];

for (const [what, body, code, message, timeoutMs] of FAULTS) {
  test(`a build with ${what} is refused`, async (t) => {
    const error = await t.throwsAsync(build(t, body, timeoutMs), { instanceOf: ClusterError, message });
    t.is(error?.code, code);
  });
}

test('a build that is right is answered', async (t) => {
  const built = await build(t, 'env.fromElements(1).print();');
  t.is(built.jobGraph.name, 'x');
});
