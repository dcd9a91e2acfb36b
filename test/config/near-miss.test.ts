import test from 'ava';
import { nearest } from '../../src/config/near-miss.ts';

const candidates = ['rest.port', 'rest.address'];

test('a near miss is found among case changes, omissions and swaps', (t) => {
  t.is(nearest('Rest.Port', candidates), 'rest.port');
  t.is(nearest('rest.adress', candidates), 'rest.address');
  t.is(nearest('rset.port', candidates), 'rest.port');
});

test('nothing is suggested for a stranger', (t) => {
  t.is(nearest('something.else', candidates), null);
  t.is(nearest('', candidates), null);
});
