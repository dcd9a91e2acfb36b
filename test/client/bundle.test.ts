/** From a job file to an artifact, and from the artifact back to the program, through the cache that slots load from. */
import test, { type ExecutionContext } from 'ava';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleJob } from '../../src/client/bundle.ts';
import { typecheck } from '../../src/client/typecheck.ts';
import { buildProgram, loadProgram } from '../../src/graph/program.ts';
import type { JobProgram } from '../../src/graph/stream-graph.ts';
import { ClusterError, type ErrorCode } from '../../src/protocol/errors.ts';
import { ArtifactCache } from '../../src/storage/artifact-cache.ts';

const HEAD = "import { job } from 'drey';\n";
const JOB = `${HEAD}export default job({ name: 'small' }, (env) => { env.fromElements(1, 2).map((n) => n * 2).print(); });\n`;

/** A directory with these files, removed after the test. */
async function project(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drey bundle-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(directory, name, '..'), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

async function load(directory: string, file = 'job.ts'): Promise<JobProgram> {
  const bundle = await bundleJob(join(directory, file));
  const path = await new ArtifactCache(join(directory, 'cache')).put(bundle.artifactId, bundle.code);
  return loadProgram(pathToFileURL(path).href);
}

async function refused(t: ExecutionContext, attempt: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(attempt, { instanceOf: ClusterError, message });
  t.is(error?.code, code);
}

test('a bundled job is the program that its file declares', async (t) => {
  const program = await load(await project(t, { 'job.ts': JOB }));
  t.is(program.name, 'small');
  const { nodes } = buildProgram(program, { args: {}, configuration: {} });
  t.deepEqual(nodes.map((node) => node.name), ['Source: Collection Source', 'Map', 'Sink: Print to Std. Out']);
});

test('equal sources give equal artifacts, wherever they lie', async (t) => {
  const directories = await Promise.all([JOB, JOB, `${JOB}// more\n`].map((text) => project(t, { 'job.ts': text })));
  const [first, second, other] = await Promise.all(directories.map((directory) => bundleJob(join(directory, 'job.ts'))));
  t.is(first?.artifactId, second?.artifactId);
  t.not(first?.artifactId, other?.artifactId);
  t.false(new TextDecoder().decode(first?.code).includes(directories[0] ?? ''));
});

test('own modules and npm packages are bundled, also CommonJS ones that require built-in modules', async (t) => {
  const directory = await project(t, {
    'job.ts': `${HEAD}import { twice } from './twice.ts';\nimport left from 'left';
      export default job({ name: left('x') }, (env) => { env.fromElements(1).map(twice).print(); });\n`,
    'twice.ts': 'export const twice = (n: number): number => n * 2;\n',
    'node_modules/left/package.json': '{ "name": "left", "version": "1.0.0", "main": "index.js" }',
    'node_modules/left/index.js': `const util = require('util');
      const started = Date.now();
      module.exports = (s) => util.format('%s!', s) + (started > 0 ? '' : '?');\n`,
  });
  const bundle = await bundleJob(join(directory, 'job.ts'));
  t.deepEqual(bundle.sourceFiles.map((file) => file.slice(directory.length + 1)).toSorted(), ['job.ts', 'twice.ts']);
  t.is((await load(directory)).name, 'x!');
});

test('a chance value at the top level of a user file is refused, with its place', async (t) => {
  const text = `${HEAD}const RUN = Math.random();\nexport default job({ name: String(RUN) }, () => {});\n`;
  const directory = await project(t, { 'job.ts': text });
  const message = /Math\.random\(\) is not allowed at the top level of a job module \(job\.ts:2:\d+\)/;
  await refused(t, load(directory), 'PROGRAM_INVALID', message);
});

test('an error thrown while building names file and line of the TypeScript', async (t) => {
  const text = `${HEAD}interface Unused { readonly a: 1 }\nexport default job({ name: 'x' }, () => {\n  throw new Error('no');\n});\n`;
  const program = await load(await project(t, { 'job.ts': text }));
  const error = t.throws(() => program.build({ args: {}, configuration: {} }), { message: 'no' });
  t.regex(error?.stack ?? '', /\(job:job\.ts:4:9\)/);
  const message = /^the build function of job 'x' failed at job\.ts:4:9: Error: no$/;
  t.is(t.throws(() => buildProgram(program, { args: {}, configuration: {} }), { instanceOf: ClusterError, message })?.code, 'PROGRAM_INVALID');
});

test('with absolute sources the stack names the file on this machine, where breakpoints hit', async (t) => {
  const directory = await project(t, { 'job.ts': `${HEAD}export default job({ name: 'x' }, () => {\n  throw new Error('no');\n});\n` });
  const bundle = await bundleJob(join(directory, 'job.ts'), { absoluteSources: true });
  const path = await new ArtifactCache(join(directory, 'cache')).put(bundle.artifactId, bundle.code);
  const program = await loadProgram(pathToFileURL(path).href);
  const error = t.throws(() => program.build({ args: {}, configuration: {} }), { message: 'no' });
  t.true(error?.stack?.includes(`(${join(directory, 'job.ts')}:3:9)`), error?.stack);
});

test('a syntax error shows its place and line', async (t) => {
  const directory = await project(t, { 'job.ts': 'const a = ;\n' });
  const message = /job\.ts:1:11: Unexpected ";"\n\n {2}1 \| const a = ;\n {4}\| {11}\^/;
  await refused(t, bundleJob(join(directory, 'job.ts')), 'PROGRAM_INVALID', message);
});

test('a module that cannot be found shows the import', async (t) => {
  const directory = await project(t, { 'job.ts': `import 'nowhere';\n${JOB}` });
  await refused(t, bundleJob(join(directory, 'job.ts')), 'PROGRAM_INVALID', /job\.ts:1:8: Could not resolve "nowhere"/);
});

test('a missing file, a directory, and modules that export no job are refused', async (t) => {
  const directory = await project(t, {
    'none.ts': 'export const a = 1;\n',
    'number.ts': 'export default 1;\n',
    'function.ts': 'export default function build() {}\n',
  });
  await refused(t, bundleJob(join(directory, 'absent.ts')), 'FILE_NOT_FOUND', /no such file/);
  await refused(t, bundleJob(directory), 'PROGRAM_INVALID', /is not a file/);
  await refused(t, bundleJob(join(directory, 'none.ts')), 'PROGRAM_INVALID', /none\.ts has no default export/);
  await refused(t, load(directory, 'number.ts'), 'PROGRAM_INVALID', /a value of type number, not a job/);
  await refused(t, load(directory, 'function.ts'), 'PROGRAM_INVALID', /the function 'build', not a job/);
});

test('a module that throws when it is loaded is refused with the cause', async (t) => {
  const directory = await project(t, { 'job.ts': `${JOB}throw new RangeError('top');\n` });
  await refused(t, load(directory), 'PROGRAM_INVALID', /^loading the job module failed at job\.ts:3:7: RangeError: top$/);
});

test('a native addon is refused by name, unless it is external', async (t) => {
  const directory = await project(t, {
    'job.ts': `import 'fast';\n${JOB}`,
    'node_modules/fast/package.json': '{ "name": "fast", "version": "1.0.0", "main": "index.js" }',
    'node_modules/fast/index.js': "module.exports = require('./build/fast.node');\n",
  });
  await refused(t, bundleJob(join(directory, 'job.ts')), 'PROGRAM_INVALID', /'fast' loads a native addon .*--external fast/);
  const { code } = await bundleJob(join(directory, 'job.ts'), { external: ['fast', 'unused'] });
  t.regex(new TextDecoder().decode(code), /^\/\* job bundle for drey \S+ external:fast \*\//);
});

test('type errors are reported with file, line and column; a clean job passes', async (t) => {
  const bad = `${HEAD}const n: number = 'a';\nexport default job({ name: 'x' }, (env) => { env.fromElements(n).print(); });\n`;
  const directory = await project(t, { 'job.ts': JOB, 'bad.ts': bad });
  t.deepEqual(await typecheck(join(directory, 'job.ts')), { kind: 'passed' });
  const result = await typecheck(join(directory, 'bad.ts'));
  if (result.kind !== 'failed') return t.fail(`the check ${result.kind}`);
  t.is(result.errors.length, 1);
  t.regex(result.errors[0] ?? '', /bad\.ts:2:7: Type 'string' is not assignable to type 'number'\. \(TS2322\)/);
});
