/**
 * Makes the artifact of a job: one ES module with the user's code and its npm packages, a source map inside. `drey`
 * itself stays outside; the cluster serves its own copy. The same sources give the same bytes on any machine, and the
 * bytes name the artifact, so it is uploaded once.
 *
 * The first line of a bundle is a comment with the API version it was made for, and the packages that it expects to find.
 */
import { basename, dirname, relative, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { BuildFailure, BuildResult, Message, Plugin } from 'esbuild';
import { present } from '../base/assert.ts';
import { JOB_SOURCE_ROOT } from '../base/source-place.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { ArtifactId } from '../protocol/ids.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { artifactIdOf, bundleHead } from '../storage/artifact-cache.ts';

/** A bundled job. */
export interface JobBundle {
  readonly artifactId: ArtifactId;
  readonly code: Uint8Array;
  /** The API version it was made for. */
  readonly apiVersion: string;
  /** Absolute paths of the user's own files that are in it, for watch mode and type checks. */
  readonly sourceFiles: readonly string[];
  /** What esbuild warned about, as `file:line:col: text`. */
  readonly warnings: readonly string[];
}

/** Options of `bundleJob`. */
export interface BundleOptions {
  /** Packages left out of the bundle; they must be installed where the cluster runs. Needed for native addons. */
  readonly external?: readonly string[];
  /**
   * Source paths in the map are absolute, so that breakpoints in the user's files hit. For runs on this
   * machine only: the artifact then differs from machine to machine.
   */
  readonly absoluteSources?: boolean;
}

/** Errors that one message shows at most. */
const ERRORS_MAX = 5;
const NODE_TARGET = 'node20';
/** Bundled CommonJS packages call `require` for Node's own modules; an ES module has none of its own. */
const REQUIRE_SHIM = "import{createRequire as __dreyRequire}from'node:module';const require=__dreyRequire(import.meta.url);";
/** Packages that load native addons by computed path, out of a bundler's sight. */
const ADDON_LOADERS = /^(bindings|node-gyp-build|node-gyp-build-optional-packages|@mapbox\/node-pre-gyp)$/;

/** Bundles a job module (`.ts`, `.js`, `.mts`, `.mjs`). Throws FILE_NOT_FOUND, or PROGRAM_INVALID with places and code frames. */
export async function bundleJob(path: string, options: BundleOptions = {}): Promise<JobBundle> {
  const entry = resolve(path);
  await requireFile(entry, path);
  const result = await runEsbuild(entry, options);
  requireDefaultExport(result, path);
  const code = sealBundle(result, options.external ?? []);
  return {
    artifactId: artifactIdOf(code),
    code,
    apiVersion: DREY_VERSION,
    sourceFiles: userFilesOf(result, dirname(entry)),
    warnings: result.warnings.map((warning) => placeOf(warning, dirname(entry))),
  };
}

type Bundled = BuildResult<{ metafile: true; write: false }>;

async function requireFile(entry: string, path: string): Promise<void> {
  const found = await stat(entry).catch(() => null);
  if (found === null) throw new ClusterError('FILE_NOT_FOUND', `${path}: no such file`);
  if (!found.isFile()) throw new ClusterError('PROGRAM_INVALID', `${path} is not a file; name the job module itself`);
}

async function runEsbuild(entry: string, options: BundleOptions): Promise<Bundled> {
  const { build } = await import('esbuild');
  const directory = dirname(entry);
  try {
    return await build({
      entryPoints: [entry],
      absWorkingDir: directory,
      outfile: `${basename(entry).replace(/\.[cm]?[jt]s$/, '')}.mjs`,
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: NODE_TARGET,
      external: ['drey', 'drey/*', ...(options.external ?? [])],
      plugins: [refuseAddons],
      sourcemap: 'inline',
      sourceRoot: options.absoluteSources ? pathToFileURL(`${directory}/`).href : JOB_SOURCE_ROOT,
      banner: { js: BANNER },
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
    });
  } catch (thrown) {
    const { errors = [] } = thrown as Partial<BuildFailure>;
    if (errors.length === 0) throw thrown;
    const places = errors.slice(0, ERRORS_MAX).map((error) => placeOf(error, directory) + codeFrameOf(error));
    throw new ClusterError('PROGRAM_INVALID', places.join('\n'));
  }
}

/** Stands for the first line while esbuild counts lines for the source map. */
const BANNER = '/*drey*/';

/** Replaces the banner, line for line, by what the bundle turned out to need. */
function sealBundle(result: Bundled, external: readonly string[]): Uint8Array {
  const output = present(result.outputFiles[0], 'esbuild writes one file');
  const hasCommonJs = Object.values(result.metafile.inputs).some((input) => input.format === 'cjs');
  const firstLine = `${bundleHead(DREY_VERSION, importedFrom(result, external))}${hasCommonJs ? REQUIRE_SHIM : ''}`;
  return new TextEncoder().encode(output.text.replace(BANNER, () => firstLine));
}

/** Those of the external packages that the bundle does import. */
function importedFrom(result: Bundled, external: readonly string[]): readonly string[] {
  const imports = Object.values(result.metafile.inputs).flatMap((input) => input.imports).filter((each) => each.external);
  return [...new Set(external)].filter((name) => imports.some(({ path }) => path === name || path.startsWith(`${name}/`)));
}

function requireDefaultExport(result: Bundled, path: string): void {
  const exported = Object.values(result.metafile.outputs).flatMap((output) => output.exports);
  if (exported.includes('default')) return;
  throw new ClusterError(
    'PROGRAM_INVALID',
    `${path} has no default export. A job module ends in: export default job({ name: '…' }, (env) => { … })`,
  );
}

function userFilesOf(result: Bundled, directory: string): readonly string[] {
  return Object.keys(result.metafile.inputs)
    .filter((file) => !file.includes('node_modules/') && !file.startsWith('<'))
    .map((file) => resolve(directory, file));
}

/** `file:line:col: text`, the file as seen from the current directory, columns from 1. */
function placeOf({ location, text }: Message, directory: string): string {
  if (!location) return text;
  return `${relative('.', resolve(directory, location.file))}:${location.line}:${location.column + 1}: ${text}`;
}

/** The line of a message, and a mark below its place. */
function codeFrameOf({ location }: Message): string {
  if (!location) return '';
  const number = String(location.line);
  const mark = ' '.repeat(location.column) + '^'.repeat(Math.max(1, location.length));
  return `\n\n  ${number} | ${location.lineText}\n  ${' '.repeat(number.length)} | ${mark}\n`;
}

/** Native addons cannot travel in a module, and would not load in a worker thread of another platform. */
const refuseAddons: Plugin = {
  name: 'refuse-native-addons',
  setup(build) {
    build.onResolve({ filter: /\.node$/ }, ({ path, importer }) => ({ errors: [{ text: addonRefusal(path, importer) }] }));
    build.onResolve({ filter: ADDON_LOADERS }, ({ path, importer }) => ({ errors: [{ text: addonRefusal(path, importer) }] }));
  },
};

function addonRefusal(path: string, importer: string): string {
  const owner = importer.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? importer;
  return (
    `'${owner}' loads a native addon ('${path}'), which cannot be part of a job bundle. ` +
    `List it as external (--external ${owner}) and install it where the cluster runs, or use a package without native code.`
  );
}
