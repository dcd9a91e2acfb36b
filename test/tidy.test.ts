/**
 * The house rules, held over every source file. Each rule is a function from files to complaints; each has a
 * test of its own that plants a violation, since a rule that cannot complain holds nothing.
 */
import { readFileSync, readdirSync } from 'node:fs';
import test from 'ava';
import type { SourceFile } from './tidy/source-file.ts';
import { exportsOf, functionsOf, lineAt, resolveImport, roomOf, sourceFile } from './tidy/source-file.ts';

/** A file imports its own room and rooms on lower steps. */
const STEPS = [
  ['base'], ['protocol'], ['types'], ['graph', 'config', 'ha', 'rpc', 'storage'], ['state', 'exchange', 'slots', 'checkpoint', 'formats'], ['operators', 'savepoint'],
  ['connectors'], ['jobmaster', 'task'], ['dispatcher', 'api'], ['client', 'rest', 'testing'], ['main', 'index'],
];
const CONTROL_PLANE = ['dispatcher', 'jobmaster', 'slots', 'rest'];
const DATA_PLANE = ['task', 'operators', 'connectors', 'exchange', 'state'];

/** Who may touch the outside, by module. */
const EDGE: readonly [module: RegExp, places: RegExp][] = [
  [/^node:(fs|fs\/promises|net|tls|http|https|dgram|child_process)$/, /^src\/(rpc|exchange\/transport|storage|rest|client|connectors|main|testing)/],
  [/^node:worker_threads$/, /^src\/(main|task|exchange|testing|dispatcher\/program-worker|jobmaster\/(program|enumerator)-worker)/],
  [/^ws$/, /^src\/rpc\//],
  [/^fastify$|^@fastify\//, /^src\/rest\//],
];

const LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 140;
/** A message on a line of its own may be wide: people search for it as a whole. */
const IS_ONE_TEXT = /^\s*(?:'[^']*'|`[^`]*`),?$/;
const BANNED_NAME_PARTS = ['Util', 'Utils', 'Helper', 'Helpers', 'Base', 'Impl', 'Common', 'Default', 'Factory', 'Abstract', 'Provider', 'Wrapper', 'Misc'];
const TIME_AND_CHANCE =
  /\b(Date\.now|performance\.now|Math\.random|randomUUID|randomBytes|new Date\(\))|((?<!\w\.)\b|\bglobalThis\.)set(Timeout|Interval|Immediate)\b/g;

type Rule = (files: readonly SourceFile[]) => string[];

/** A rule that looks at one line of code at a time. */
function lineRule(pattern: RegExp, allowed: (path: string, found: string) => boolean, what: string): Rule {
  return (files) => files.flatMap(({ path, code }) => {
    const hits = [...code.matchAll(pattern)].filter(([found]) => !allowed(path, found));
    return hits.map((hit) => `${path}:${lineAt(code, hit.index)}: ${hit[0].trim()} ${what}`);
  });
}

/** A rule that looks at one import at a time. `target` is a path for imports within the repository. */
function importRule(complaint: (path: string, target: string, specifier: string) => string | null): Rule {
  return (files) => files.flatMap(({ path, imports }) => imports.flatMap((specifier) => {
    const target = specifier.startsWith('.') ? resolveImport(path, specifier) : specifier;
    const text = complaint(path, target, specifier);
    return text === null ? [] : [`${path}: ${specifier}: ${text}`];
  }));
}

const stepOf = (path: string): number => STEPS.findIndex((rooms) => rooms.includes(roomOf(path)));

const steps = importRule((path, target) => {
  if (!target.startsWith('src/')) return target.startsWith('test/') ? 'src never imports tests' : null;
  if (stepOf(path) < 0) return `the room '${roomOf(path)}' has no step`;
  return roomOf(path) === roomOf(target) || stepOf(target) < stepOf(path) ? null : 'a room imports rooms on lower steps only';
});

const wall = importRule((path, target) => {
  const sides = [CONTROL_PLANE, DATA_PLANE].map((rooms) => [path, target].some((end) => end.startsWith('src/') && rooms.includes(roomOf(end))));
  return sides.every(Boolean) ? 'control plane and data plane never import each other' : null;
});

/** What a core may import: assertions, bytes, queues, protocol, graph, cores, and files that import nothing else either. */
const coreImports: Rule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const isPure = (path: string): boolean => {
    if (/^src\/(base\/(assert|bytes|bounded-queue)\.ts|protocol\/|graph\/)/.test(path)) return true;
    const file = byPath.get(path);
    if (path.startsWith('src/base/') || file === undefined) return path.endsWith('.core.ts');
    return path.endsWith('.core.ts') || file.imports.every((specifier) => isPure(resolveImport(path, specifier)));
  };
  return importRule((path, target) => {
    return !path.endsWith('.core.ts') || isPure(target) ? null : 'a core imports nothing that is not pure';
  })(files);
};

const coreText = lineRule(/\b(async|await|Promise|Date|Math\.random|setTimeout)\b/g, (path) => !path.endsWith('.core.ts'), 'in a pure core');

const edge = importRule((path, target) => {
  return EDGE.some(([module, places]) => module.test(target) && !places.test(path)) ? 'only the edge touches the outside' : null;
});

const environment = lineRule(/\bprocess\.env\b/g, (path) => /^src\/main\/|^src\/graph\/build-traps/.test(path), 'outside of main');

const timeAndChance = lineRule(TIME_AND_CHANCE, (path, found) => {
  if (path === 'src/base/system-ports.ts' || path === 'src/graph/build-traps.ts') return true;
  return found === 'setImmediate' && path.startsWith('src/task/');
}, 'bypasses the ports of time and chance');

const anyType = lineRule(/(?<=[:<|&,(]\s*|\bas\s+)any\b(?=\s*[>,;)=[\]|&{]|\s*$)/gm, () => false, 'is not a type; use unknown');

const suppressions: Rule = (files) => files.flatMap(({ path, text }) => {
  const hits = [...text.matchAll(/(?<!`)(@ts-(ignore|nocheck)|eslint-disable|oxlint-disable|\b(TODO|FIXME|XXX|HACK)\b)/g)];
  return hits.map((hit) => `${path}:${lineAt(text, hit.index)}: ${hit[0]} is not allowed`);
});

const lengths: Rule = (files) => files.flatMap((file) => {
  const lines = file.text.split('\n');
  const long = functionsOf(file).filter(({ lineCount }) => lineCount > FUNCTION_LINES_MAX);
  const wide = lines.flatMap((line, index) => (line.length > COLUMNS_MAX && !IS_ONE_TEXT.test(line) ? [index + 1] : []));
  return [
    ...(lines.length > LINES_MAX + 1 ? [`${file.path}: ${lines.length - 1} lines, at most ${LINES_MAX}`] : []),
    ...long.map(({ line, lineCount }) => `${file.path}:${line}: a function of ${lineCount} lines, at most ${FUNCTION_LINES_MAX}`),
    ...wide.map((line) => `${file.path}:${line}: wider than ${COLUMNS_MAX} columns`),
  ];
});

const names: Rule = (files) => files.flatMap((file) => {
  const fileName = file.path.split('/').at(-1) ?? '';
  const parts = fileName.replace(/\..*$/, '').split('-');
  const badParts = parts.filter((part) => BANNED_NAME_PARTS.includes(part.charAt(0).toUpperCase() + part.slice(1)));
  const types = Array.from(file.code.matchAll(/\b(?:class|interface|type) ([A-Z]\w*)/g), ([, name = '']) => name);
  const badTypes = types.filter((name) => name.split(/(?=[A-Z])/).some((part) => BANNED_NAME_PARTS.includes(part)));
  return [...badParts, ...badTypes].map((name) => `${file.path}: '${name}' says nothing; name what it is`);
});

const barrels: Rule = (files) => {
  const allowed = ['src/index.ts', 'src/testing/index.ts', 'src/savepoint/index.ts'];
  return files.filter(({ path }) => path.endsWith('/index.ts') && !allowed.includes(path)).map(({ path }) => `${path}: no index.ts in a room`);
};

const headers: Rule = (files) => files.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => `${path}: begins with what it is, /** … */`);

/** `users` are all files that may use a name; a name in the entry points is used by definition. */
function deadExports(files: readonly SourceFile[], users: readonly SourceFile[]): string[] {
  const wordsByPath = new Map(users.map(({ path, code }) => [path, code.match(/\w+/g) ?? []] as const));
  const pathsByWord = new Map<string, Set<string>>();
  for (const [path, words] of wordsByPath) for (const word of words) pathsByWord.set(word, (pathsByWord.get(word) ?? new Set()).add(path));
  const wholesale = new Set(users.flatMap(({ path, code, imports }) => {
    return /export \*|\* as /.test(code) || path.startsWith('src/main/') ? imports.map((specifier) => resolveImport(path, specifier)) : [];
  }));
  return files.filter(({ path }) => !wholesale.has(path)).flatMap((file) => exportsOf(file).filter(({ name, isType }) => {
    if ((pathsByWord.get(name)?.size ?? 0) > 1) return false;
    // A type that is part of a signature in its own file is used by whoever calls that.
    return !(isType && (wordsByPath.get(file.path)?.filter((word) => word === name).length ?? 0) > 1);
  }).map(({ name }) => `${file.path}: ${name} is exported and used nowhere`));
}

/** Hosts of package registries, and paths that exist on one machine only. */
const FOREIGN_TEXT = new RegExp(['registry\\.[a-z]+\\.(?:org|com)', '(?<![\\w.])/(?:work|root|tmp/w)/\\w'].join('|'), 'g');

const foreignText: Rule = (files) => files.flatMap(({ path, text }) => {
  return [...text.matchAll(FOREIGN_TEXT)].map((hit) => `${path}:${lineAt(text, hit.index)}: ${hit[0]} belongs to one machine`);
});

const tests: Rule = lineRule(/\btest(\.serial)?\.(skip|only|failing)\b/g, () => false, 'hides tests');

function read(directory: string, ending: RegExp): SourceFile[] {
  const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => ending.test(name) && !name.includes('.generated.'));
  return entries.toSorted().map((name) => sourceFile(`${directory}/${name}`, readFileSync(`${directory}/${name}`, 'utf8')));
}

function readTop(ending: RegExp): SourceFile[] {
  const names = readdirSync('.').filter((name) => ending.test(name));
  return names.map((name) => sourceFile(name, readFileSync(name, 'utf8')));
}

const source = read('src', /\.ts$/);
const testFiles = read('test', /\.ts$/);
const others = [...read('examples', /\.[cm]?ts$/), ...read('scripts', /\.(ts|mjs|js)$/)];
const plain = [...read('bin', /./), ...read('conf', /./), ...read('docs', /\.md$/), ...read('.ci', /./), ...readTop(/\.(md|json)$|^\.npmrc$/)];

const SOURCE_RULES: Readonly<Record<string, Rule>> = {
  'rooms import rooms on lower steps only': steps,
  'the wall stands between the control plane and the data plane': wall,
  'cores import nothing impure': coreImports,
  'cores are synchronous and have no clock': coreText,
  'only the edge touches files, sockets and threads': edge,
  'only main reads the environment': environment,
  'time and chance come through ports': timeAndChance,
  'no value has the type any': anyType,
  'nothing is suppressed or left for later': suppressions,
  'files, functions and lines are short': lengths,
  'names say what a thing is': names,
  'rooms have no barrels': barrels,
  'every file begins with what it is': headers,
};

for (const [name, rule] of Object.entries(SOURCE_RULES)) test(name, (t) => t.deepEqual(rule(source), []));

test('every exported name is used somewhere', (t) => {
  t.deepEqual(deadExports(source, [...source, ...testFiles, ...others]), []);
});

test('nothing names a registry or a path of one machine', (t) => {
  t.deepEqual(foreignText([...source, ...testFiles, ...others, ...plain].filter(({ path }) => path !== 'test/tidy.test.ts')), []);
});

test('no test is skipped or runs alone', (t) => t.deepEqual(tests(testFiles), []));

/** A file for each rule that breaks it once; `{}` marks a file that breaks nothing. */
const PLANTED: readonly [rule: Rule, path: string, text: string, complaints: number][] = [
  [steps, 'src/rpc/a.ts', "import { x } from '../ha/b.ts';", 1],
  [steps, 'src/rpc/a.ts', "import type { x } from '../task/b.ts';", 1],
  [steps, 'src/rpc/a.ts', "export * from '../../test/b.ts';", 1],
  [steps, 'src/attic/a.ts', "import '../base/b.ts';", 1],
  [steps, 'src/rpc/a.ts', "import { x } from '../base/b.ts'; import y from './c.ts'; // import z from '../main/d.ts'", 0],
  [steps, 'src/rpc/a.ts', "const span = [data['from'] as number, data['../main/x.ts']];", 0],
  [wall, 'src/rest/a.ts', "const late = await import('../exchange/b.ts');", 1],
  [wall, 'src/task/a.ts', "import { x } from '../slots/b.ts';", 1],
  [wall, 'src/main/a.ts', "import '../rest/b.ts'; import '../task/c.ts';", 0],
  [coreImports, 'src/slots/a.core.ts', "import { x } from '../base/ports.ts';", 1],
  [coreImports, 'src/slots/a.core.ts', "import { x } from 'node:crypto';", 1],
  [coreImports, 'src/slots/a.core.ts', "import { x } from './shell.ts';", 1],
  [coreImports, 'src/slots/a.core.ts', "import { x } from '../base/assert.ts'; import '../protocol/ids.ts'; import './b.core.ts';", 0],
  [coreText, 'src/slots/a.core.ts', 'async function step() { await 1; }', 2],
  [coreText, 'src/slots/a.ts', 'async function step() { await 1; }', 0],
  [edge, 'src/graph/a.ts', "import { readFile } from 'node:fs/promises';", 1],
  [edge, 'src/exchange/gate.ts', "import net from 'node:net';", 1],
  [edge, 'src/exchange/transport.ts', "import net from 'node:net';", 0],
  [edge, 'src/slots/a.ts', "import { WebSocket } from 'ws';", 1],
  [environment, 'src/rest/a.ts', "const home = process.env['HOME'];", 1],
  [timeAndChance, 'src/rpc/a.ts', 'const at = Date.now(); setTimeout(f, 1); new Date(); new Date(5);', 3],
  [timeAndChance, 'src/rpc/a.ts', "/* Date.now */ const text = 'Math.random';", 0],
  [timeAndChance, 'src/task/a.ts', 'setImmediate(f); Math.random(); crypto.randomUUID(); globalThis.setTimeout(f);', 3],
  [timeAndChance, 'src/rpc/a.ts', 'socket.setTimeout(0);', 0],
  [anyType, 'src/rpc/a.ts', 'let a: any; const b = c as any; const d: Map<string, any> = e; const any = 1; f(any);', 4],
  [suppressions, 'src/rpc/a.ts', '// @ts-ignore\n// eslint-disable-next-line\n// TODO later', 3],
  [lengths, 'src/rpc/a.ts', `${'//\n'.repeat(501)}`, 1],
  [lengths, 'src/rpc/a.ts', `function f(): void {\n${'g();\n'.repeat(70)}}\nif (a) {\n${'g();\n'.repeat(70)}}\n`, 1],
  [lengths, 'src/base/a.ts', `const text = '${'x'.repeat(140)}';`, 1],
  [lengths, 'src/rpc/a.ts', `const f = (x: string) => {\n${"g('}');\n".repeat(80)}};`, 1],
  [names, 'src/rpc/frame-utils.ts', 'class FrameFactory {} interface BaseFrame {} type Database = 1;', 3],
  [barrels, 'src/rpc/index.ts', '', 1],
  [headers, 'src/rpc/a.ts', "import 'b';", 1],
  [foreignText, 'src/rpc/a.ts', `const a = '${['', 'work', 'main'].join('/')}'; const c = '${['', 'src', 'work', 'a'].join('/')}';`, 1],
  [foreignText, 'src/rpc/a.ts', `const b = 'https://${['registry', 'npmjs', 'org'].join('.')}/x';`, 1],
  [tests, 'test/rpc/a.test.ts', ['only', 'serial.skip'].map((how) => `test.${how}('x', f);`).join(' '), 2],
];

test('each rule finds what is planted for it, and nothing else', (t) => {
  for (const [rule, path, text, complaints] of PLANTED) t.is(rule([sourceFile(path, text)]).length, complaints, `${path}: ${text.slice(0, 100)}`);
});

test('an export that nobody uses is found, a type in a signature is not', (t) => {
  const files = [
    sourceFile('src/rpc/a.ts', 'export function used() {} export const x = 1;\nexport function dead() {}\nexport interface Shape {}\nexport const live = (s: Shape) => s;'),
    sourceFile('src/rpc/b.ts', "import { live, used } from './a.ts'; // dead"),
  ];
  t.deepEqual(deadExports(files, files), ['src/rpc/a.ts: dead is exported and used nowhere']);
});
