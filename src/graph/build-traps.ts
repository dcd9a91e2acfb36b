/**
 * Build-phase traps. Every slot rebuilds the program from the same arguments and must get the same plan, so
 * while user code is loaded or built, what differs from one process to the next throws: clocks, chance, timers,
 * the environment, the file system, the network. Afterwards everything is as before; at run time code is free.
 *
 *     building   any trapped call throws, except those made by Node itself (console, module loading)
 *     loading    (asynchronous: other code of the process runs meanwhile) only calls made by the module that
 *                is being loaded throw, and of those not the ones of npm packages inside its bundle
 *
 * A trapped function may be captured while a trap is set (`const { now } = Date`); it works as usual later.
 */
import { findSourceMap, syncBuiltinESMExports, type SourceMapping } from 'node:module';
import { shownPlace } from '../base/source-place.ts';
import { ClusterError } from '../protocol/errors.ts';

type Method = (this: unknown, ...args: unknown[]) => unknown;

const HINT =
  'Every slot rebuilds the program and must get the same plan. ' +
  'Pass the value as an argument of the job (args), or get it at run time: in open() or inside the function that uses it.';

/** Methods of global objects. Owners are looked up by name, so that this table is all there is to read. */
const GLOBAL_METHODS: Readonly<Record<string, readonly string[]>> = {
  globalThis: ['setTimeout', 'setInterval', 'setImmediate', 'fetch'],
  Date: ['now'],
  Math: ['random'],
  performance: ['now'],
  crypto: ['randomUUID', 'getRandomValues'],
  process: ['hrtime', 'uptime', 'memoryUsage', 'cpuUsage'],
};

/** Built-in modules. `all`: every function that the module exports. */
const MODULE_METHODS: Readonly<Record<string, readonly string[] | 'all'>> = {
  crypto: ['randomUUID', 'randomBytes', 'randomInt', 'randomFillSync', 'randomFill', 'getRandomValues'],
  fs: 'all',
  'fs/promises': 'all',
  os: 'all',
  net: ['connect', 'createConnection', 'createServer'],
  tls: ['connect', 'createServer'],
  dgram: ['createSocket'],
  dns: ['lookup', 'resolve'],
  http: ['request', 'get', 'createServer'],
  https: ['request', 'get', 'createServer'],
  child_process: ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'],
};

/** Frames looked at to find the caller: the trap's own, then the caller's. */
const FRAMES_MAX = 8;
const OWN_URL = import.meta.url;

let buildDepth = 0;
const loadingUrls = new Map<string, number>();
let restore: (() => void) | null = null;

/** Runs a synchronous build under the traps. A trapped call throws PROGRAM_INVALID where it was made. */
export function withBuildTraps<T>(build: () => T): T {
  buildDepth += 1;
  arm();
  try {
    return build();
  } finally {
    buildDepth -= 1;
    disarm();
  }
}

/** Runs `load` (a dynamic import of `moduleUrl`) with the traps set for the top level of the user's own files. */
export async function withLoadTraps<T>(moduleUrl: string, load: () => Promise<T>): Promise<T> {
  loadingUrls.set(moduleUrl, (loadingUrls.get(moduleUrl) ?? 0) + 1);
  arm();
  try {
    return await load();
  } finally {
    const others = (loadingUrls.get(moduleUrl) ?? 1) - 1;
    if (others > 0) loadingUrls.set(moduleUrl, others);
    else loadingUrls.delete(moduleUrl);
    disarm();
  }
}

function arm(): void {
  restore ??= installTraps();
}

function disarm(): void {
  if (buildDepth > 0 || loadingUrls.size > 0) return;
  restore?.();
  restore = null;
}

/** Throws when a call of `what` is forbidden now, to the code that made it. */
function guard(what: string): void {
  if (buildDepth === 0 && loadingUrls.size === 0) return;
  const caller = callerOf();
  if (caller === null || caller.file.startsWith('node:') || !isForbiddenTo(caller)) return;
  const phase = buildDepth > 0 ? 'while the job is being built' : 'at the top level of a job module';
  throw new ClusterError('PROGRAM_INVALID', `${what} is not allowed ${phase} (${placeOf(caller)}). ${HINT}`);
}

interface Caller {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function isForbiddenTo(caller: Caller): boolean {
  if (buildDepth > 0) return true;
  if (!loadingUrls.has(caller.file)) return false;
  return originOf(caller)?.originalSource.includes('node_modules/') !== true;
}

/** The caller's place in the user's sources; null without a source map. */
function originOf(caller: Caller): SourceMapping | null {
  const entry = findSourceMap(caller.file)?.findEntry(caller.line - 1, caller.column - 1);
  return entry && 'originalSource' in entry ? entry : null;
}

function placeOf(caller: Caller): string {
  const origin = originOf(caller);
  if (!origin) return shownPlace(`${caller.file}:${caller.line}:${caller.column}`);
  return shownPlace(`${origin.originalSource}:${origin.originalLine + 1}:${origin.originalColumn + 1}`);
}

/** The first frame outside this file, in generated positions; null when there is none. */
function callerOf(): Caller | null {
  const { stackTraceLimit } = Error;
  const prepareStackTrace: unknown = Reflect.get(Error, 'prepareStackTrace');
  try {
    Error.stackTraceLimit = FRAMES_MAX;
    Error.prepareStackTrace = (_error, frames) => frames;
    const frames = new Error('caller').stack as unknown as NodeJS.CallSite[];
    const frame = frames.find((site) => site.getFileName() !== OWN_URL && site.getFileName() !== null);
    if (!frame) return null;
    return { file: frame.getFileName() ?? '', line: frame.getLineNumber() ?? 0, column: frame.getColumnNumber() ?? 0 };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
  }
}

/** Sets all traps; answers how to take them away. */
function installTraps(): () => void {
  const undo = [trapDate(), trapEnvironment()];
  for (const [owner, methods] of Object.entries(GLOBAL_METHODS)) {
    const object = owner === 'globalThis' ? globalThis : (Reflect.get(globalThis, owner) as object);
    for (const method of methods) undo.push(trapMethod(object, method, owner === 'globalThis' ? `${method}()` : `${owner}.${method}()`));
  }
  for (const [name, methods] of Object.entries(MODULE_METHODS)) {
    const module = process.getBuiltinModule(name) as unknown as Record<string, unknown>;
    const names = methods === 'all' ? Object.keys(module).filter((key) => isPlainFunction(key, module[key])) : methods;
    for (const method of names) undo.push(trapMethod(module, method, `${name}.${method}()`));
  }
  syncBuiltinESMExports();
  return () => {
    for (const step of undo.toReversed()) step();
    syncBuiltinESMExports();
  };
}

/** Classes (`fs.Stats`) are left alone. */
function isPlainFunction(name: string, value: unknown): boolean {
  return typeof value === 'function' && /^[a-z]/.test(name);
}

function trapMethod(owner: object, method: string, what: string): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, method);
  const original = Reflect.get(owner, method) as Method | undefined;
  if (typeof original !== 'function' || descriptor?.configurable === false) return () => undefined;
  const enumerable = descriptor?.enumerable ?? true;
  Object.defineProperty(owner, method, { value: guarded(original, what), writable: true, configurable: true, enumerable });
  return () => {
    if (descriptor) Object.defineProperty(owner, method, descriptor);
    else Reflect.deleteProperty(owner, method);
  };
}

/** `original`, guarded, with what hangs on it: `process.hrtime.bigint`, `setTimeout[promisify.custom]`. */
function guarded(original: Method, what: string): Method {
  const trapped: Method = function trapped(...args) {
    guard(what);
    return original.apply(this, args);
  };
  Object.assign(trapped, original);
  for (const [key, extra] of Object.entries(original)) {
    if (typeof extra === 'function') Reflect.set(trapped, key, guarded(extra as Method, what));
  }
  return trapped;
}

/** `new Date()` and `Date()` tell the time; `new Date(value)` does not. */
function trapDate(): () => void {
  const original = globalThis.Date;
  globalThis.Date = new Proxy(original, {
    construct(target, args, newTarget) {
      if (args.length === 0) guard('new Date()');
      return Reflect.construct(target, args, newTarget) as object;
    },
    apply(target, self, args) {
      guard('Date()');
      return Reflect.apply(target, self, args) as unknown;
    },
  });
  return () => {
    globalThis.Date = original;
  };
}

function trapEnvironment(): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(process, 'env');
  const environment = Reflect.get(process, 'env') as unknown;
  Object.defineProperty(process, 'env', {
    configurable: true,
    enumerable: true,
    get() {
      guard('process.env');
      return environment;
    },
  });
  return () => {
    if (descriptor) Object.defineProperty(process, 'env', descriptor);
  };
}
