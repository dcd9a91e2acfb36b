/** The declarations that users compile against: an `any` in them, written or inferred, would switch off their checks. */
import { readFileSync } from 'node:fs';
import test from 'ava';

const ROOT = new URL('../../src/', import.meta.url); // Compiled, as this test is.

/** The declarations that `entry` reaches, itself included. */
function reachedFrom(entries: readonly string[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const urls = new Set(entries.map((entry) => new URL(entry, ROOT).href));
  for (const url of urls) {
    const text = readFileSync(new URL(url), 'utf8');
    texts.set(url.slice(ROOT.href.length), text);
    for (const [, specifier = ''] of text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g)) {
      urls.add(new URL(specifier.replace(/\.[jt]s$/, '.d.ts'), url).href); // Also visits what it adds.
    }
  }
  return texts;
}

/** Each `any` that stands as a type, with its line. */
function anysIn(text: string): readonly string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  return code.split('\n').filter((line) => /(?:[:<|&,(=[]|=>|\bkeyof|\bextends)\s*any\b(?!['":?])/.test(line));
}

test('the declarations of the package hold no any', (t) => {
  const texts = reachedFrom(['index.d.ts', 'testing/index.d.ts']);
  t.true(texts.has('api/data-stream.d.ts') && texts.has('types/t.d.ts') && texts.size > 20, [...texts.keys()].join(' '));
  const found = [...texts].flatMap(([path, text]) => (path.includes('.generated.') ? [] : anysIn(text).map((line) => `${path}: ${line.trim()}`)));
  t.deepEqual(found, []);
});

test('an any is seen wherever it stands', (t) => {
  for (const line of ['x: any;', 'f(a: any): void', 'y: any[]', 'z: Map<string, any>', 'w: string | any', 'g: () => any', 'T = any']) {
    t.is(anysIn(line).length, 1, line);
  }
  t.deepEqual(anysIn('/** any */ anything: string; // : any\n any: string;'), []);
});
