import { readFileSync } from 'node:fs';
import test from 'ava';

test('docs/dependencies.md names every dependency with its version', (t) => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>;
  const page = readFileSync('docs/dependencies.md', 'utf8');
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    const row = page.split('\n').find((line) => line.startsWith('|') && (line.split('|')[1] ?? '').split(',').some((cell) => cell.trim() === name));
    t.true(row?.includes(version), `${name} ${version}`);
  }
});
