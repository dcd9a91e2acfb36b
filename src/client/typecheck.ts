/**
 * Type-checks a job with the TypeScript of the user's own project, as that project configures it, so that type
 * errors show before anything starts. Bundling strips types without looking at them.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClusterError } from '../protocol/errors.ts';

/** Outcome of a type check. `errors`: `file:line:col: message`, at least one when `failed`. */
export type TypecheckResult =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly errors: readonly string[] }
  /** There is no TypeScript to check with; `reason` is for the user. */
  | { readonly kind: 'skipped'; readonly reason: string };

/** A check that takes longer is given up: DEADLINE_EXCEEDED. */
const CHECK_TIMEOUT_MS = 120_000;
const OUTPUT_SIZE_BYTES_MAX = 16 * 1024 * 1024;
const PACKAGE_ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Used when the project has no tsconfig.json. */
const STRICT_OPTIONS = {
  strict: true,
  target: 'es2022',
  module: 'nodenext',
  allowImportingTsExtensions: true,
};

/** Checks a job module and what it imports. */
export async function typecheck(path: string): Promise<TypecheckResult> {
  const file = resolve(path);
  const compiler = findCompiler(file);
  if (compiler === null) {
    const reason = `no TypeScript found from ${dirname(file)}: types were not checked (npm install --save-dev typescript)`;
    return { kind: 'skipped', reason };
  }
  const directory = await mkdtemp(join(tmpdir(), 'drey-typecheck-'));
  try {
    const config = join(directory, 'tsconfig.json');
    await writeFile(config, JSON.stringify(checkConfig(file)));
    const output = await runCompiler(compiler, config, dirname(file));
    return output === '' ? { kind: 'passed' } : { kind: 'failed', errors: readErrors(output) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** `bin/tsc` of the nearest TypeScript: the project's, else the one beside this package. */
function findCompiler(file: string): string | null {
  for (const from of [file, join(PACKAGE_ROOT, 'package.json')]) {
    try {
      return join(dirname(createRequire(from).resolve('typescript/package.json')), 'bin', 'tsc');
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }
  return null;
}

/** The project's configuration, narrowed to one file and to reporting. */
function checkConfig(file: string): object {
  const ancestors = ancestorsOf(dirname(file));
  const projectConfig = ancestors.map((directory) => join(directory, 'tsconfig.json')).find((path) => existsSync(path));
  const typeRoots = [...ancestors, PACKAGE_ROOT].map((root) => join(root, 'node_modules', '@types')).filter((path) => existsSync(path));
  return {
    ...(projectConfig === undefined ? {} : { extends: projectConfig }),
    compilerOptions: {
      ...(projectConfig === undefined ? STRICT_OPTIONS : {}),
      noEmit: true,
      incremental: false,
      composite: false,
      skipLibCheck: true,
      rootDir: '/',
      typeRoots,
      ...(seesPackage(file) ? {} : { paths: ownPaths() }),
    },
    files: [file],
    include: [],
  };
}

/** For a job file outside of any project: `drey` is this package. */
function ownPaths(): Readonly<Record<string, readonly string[]>> {
  return {
    drey: [join(PACKAGE_ROOT, 'dist/src/index.d.ts')],
    'drey/testing': [join(PACKAGE_ROOT, 'dist/src/testing/index.d.ts')],
    'drey/state': [join(PACKAGE_ROOT, 'dist/src/savepoint/index.d.ts')],
  };
}

function seesPackage(file: string): boolean {
  try {
    createRequire(file).resolve('drey/package.json');
    return true;
  } catch (thrown) {
    if (isNotFound(thrown)) return false;
    throw thrown;
  }
}

function ancestorsOf(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...ancestorsOf(parent)];
}

/** Standard output of the compiler; empty when all is well. */
function runCompiler(compiler: string, config: string, directory: string): Promise<string> {
  const words = [compiler, '--project', config, '--pretty', 'false'];
  const options = { cwd: directory, timeout: CHECK_TIMEOUT_MS, maxBuffer: OUTPUT_SIZE_BYTES_MAX };
  return new Promise((done, failed) => {
    execFile(process.execPath, words, options, (error, stdout, stderr) => {
      if (error?.killed) failed(new ClusterError('DEADLINE_EXCEEDED', `the type check took more than ${CHECK_TIMEOUT_MS} ms`));
      else done(error === null ? '' : stdout + stderr);
    });
  });
}

/** `file(line,col): error TS…: message` becomes `file:line:col: message (TS…)`; continuation lines stay with their error. */
function readErrors(output: string): readonly string[] {
  const errors: string[] = [];
  for (const line of output.split('\n').filter((text) => text !== '')) {
    const [, file, row, column, code, message] = line.match(/^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/) ?? [];
    if (file !== undefined) errors.push(`${file}:${row}:${column}: ${message} (${code})`);
    else if (errors.length > 0 && line.startsWith(' ')) errors[errors.length - 1] += `\n${line}`;
    else errors.push(line);
  }
  return errors;
}

function isNotFound(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
}
