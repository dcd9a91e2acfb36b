/**
 * The npm package in a project of a user: packed, unpacked beside its run-time dependencies only, type-checked
 * without `skipLibCheck`, tested with a MiniCluster, and run on a cluster that was started from the package.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { HOME, install, type Installation } from './installation.ts';

const execute = promisify(execFile);

const JOB = `
import { arg, job, tuple } from 'drey';

export default job({ name: 'Letters', args: { text: arg.string() } }, (env, { text }) => {
  env
    .fromElements(...text)
    .map((letter) => tuple(letter, 1))
    .keyBy(([letter]) => letter)
    .sum(1)
    .print();
});
`;

const USAGE = `
import { MiniCluster, type JobExecutionResult } from 'drey/testing';
import program from './job.ts';

export async function letters(text: string): Promise<JobExecutionResult> {
  await using cluster = await MiniCluster.start({ slots: 1 });
  return cluster.run(program, { text });
}
`;

const NODE_TEST = `
import assert from 'node:assert';
import test from 'node:test';
import { MiniCluster } from 'drey/testing';
import program from './dist/job.js';

test('letters', async () => {
  let printed = '';
  const cluster = await MiniCluster.start({ onPrint: (stream, text) => { printed += text; } });
  await cluster.run(program, { text: 'aba' });
  await cluster.close();
  assert.equal(printed, '(a,1)\\n(b,1)\\n(a,2)\\n');
});
`;

/** Without the types of Node.js, and with nothing newer than ES2022 in `lib`: what the package needs beyond that it brings. */
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: 'es2022',
    module: 'nodenext',
    types: [],
    skipLibCheck: false,
    rewriteRelativeImportExtensions: true,
    outDir: 'dist',
  },
  include: ['*.ts'],
};

/** A project below the installation's directory that has the packed package; answers its path. */
async function project({ directory }: Installation): Promise<string> {
  const home = join(directory, 'project');
  const modules = join(home, 'node_modules');
  await mkdir(join(modules, 'drey'), { recursive: true });
  await execute('npm', ['pack', '--ignore-scripts', '--offline', '--pack-destination', directory], { cwd: HOME });
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz')) ?? '';
  await execute('tar', ['-xzf', join(directory, tarball), '--strip-components=1', '-C', join(modules, 'drey')]);
  const { dependencies } = JSON.parse(await readFile(join(HOME, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(HOME, 'node_modules', name), join(modules, name));
  }
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  await writeFile(join(home, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await writeFile(join(home, 'job.ts'), JOB);
  await writeFile(join(home, 'usage.ts'), USAGE);
  await writeFile(join(home, 'job.test.mjs'), NODE_TEST);
  return home;
}

test('a strict project has no type errors, tests its job on a MiniCluster and runs it on a cluster of the package', async (t) => {
  const installation = await install(t);
  const home = await project(installation);
  const compiled = await execute(join(HOME, 'node_modules/.bin/tsc'), ['-p', home]).catch((error: { stdout: string }) => error);
  t.is(compiled.stdout, '');
  await t.notThrowsAsync(execute(process.execPath, ['--test', 'job.test.mjs'], { cwd: home }));

  const bin = join(home, 'node_modules/drey/bin');
  const flink = join(bin, 'flink');
  t.is((await installation.run(flink, ['-v'])).out, (await installation.run('flink', ['-v'])).out, 'the package knows its commit');

  const started = await installation.run(join(bin, 'start-cluster.sh'));
  t.is(started.code, 0, started.error);
  const ran = await installation.run(flink, ['run', join(home, 'job.ts'), '--text', 'aba']);
  t.is(ran.code, 0, ran.error);
  t.is(await installation.logOf('taskexecutor', 'out'), '(a,1)\n(b,1)\n(a,2)\n');
  t.is((await installation.run(join(bin, 'stop-cluster.sh'))).code, 0);
});
