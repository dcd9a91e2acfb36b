/** The option table itself. */
import { readFileSync, readdirSync } from 'node:fs';
import test from 'ava';
import { configurationPage } from '../../scripts/configuration-page.ts';
import { TABLE_VERSION } from '../../src/config/load.ts';
import { optionFor, optionGroups, options } from '../../src/config/options.ts';

const all = optionGroups.flatMap((group) => group.options);

test('every default is a value of its option', (t) => {
  for (const { key, type, defaultText } of all) {
    if (defaultText !== null) t.notThrows(() => type.parse(defaultText), key);
  }
});

test('no key or deprecated spelling is described twice', (t) => {
  const keys = all.flatMap((option) => [option.key, ...option.deprecatedKeys]);
  t.deepEqual(keys.filter((key, index) => keys.indexOf(key) !== index), []);
});

test('every chapter together is the whole table', (t) => {
  t.is(all.length, Object.keys(options).length);
});

test('every option is described in sentences', (t) => {
  for (const { key, description } of all) t.regex(description, /^[A-Z`].*\.$/s, key);
});

test('a family of keys is recognised by any name, and the closer description wins', (t) => {
  t.is(optionFor('metrics.reporter.prom.port'), options.reporterPort);
  t.is(optionFor('metrics.reporter.prom.class'), options.reporterFactory);
  t.is(optionFor('metrics.reporter.stsd.host'), options.reporterOther);
  t.is(optionFor('metrics.reporter'), undefined);
  t.is(optionFor('taskmanager.network.memory.min'), options.taskManagerNetworkMin);
});

test("the table's version is the package's", (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  t.true(version.startsWith(`${TABLE_VERSION}.`));
});

test('docs/configuration.md is what the table says', (t) => {
  t.is(readFileSync('docs/configuration.md', 'utf8'), configurationPage(), 'run: npm run docs');
});

/** Everything that may read an option, the table itself left out. */
function textOf(directory: string, isReader: (name: string) => boolean): string {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(isReader);
  return names.map((name) => readFileSync(`${directory}/${name}`, 'utf8')).join('\n');
}

test('no option is announced for later that is read already', (t) => {
  const readers = textOf('src', (name) => name.endsWith('.ts') && !name.endsWith('options.ts'));
  const early = Object.entries(options).filter(([name, { key, since }]) => {
    return since !== TABLE_VERSION && (readers.includes(`ptions.${name})`) || readers.includes(`['${key}']`));
  });
  t.deepEqual(early.map(([, { key }]) => key), []);
});

test('an option that claims to take effect is read somewhere', (t) => {
  const readers = textOf('src', (name) => name.endsWith('.ts') && !name.endsWith('options.ts')) + textOf('bin', () => true);
  const idle = Object.entries(options).filter(([name, { key, since, withoutEffect }]) => {
    if (withoutEffect !== undefined || since !== TABLE_VERSION) return false;
    return !readers.includes(`ptions.${name})`) && !readers.includes(`'${key}'`) && !readers.includes(`[${key}]`);
  });
  t.deepEqual(idle.map(([, { key }]) => key), []);
});
