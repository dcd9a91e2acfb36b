import test from 'ava';
import { createRequire } from 'node:module';
import { DREY_VERSION } from '../../src/protocol/version.ts';

test('the version that bundles are made for is that of the package', (t) => {
  const { version } = createRequire(import.meta.url)('drey/package.json') as { readonly version: string };
  t.is(DREY_VERSION, version);
});
