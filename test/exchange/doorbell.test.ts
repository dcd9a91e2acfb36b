/** Ringing and sleeping, when the owner changes. */
import test from 'ava';
import { Doorbell } from '../../src/exchange/doorbell.ts';

test('a ring before the sleep ends it at once, and one after it wakes', async (t) => {
  const [owner, ringer] = twoSides();
  const seen = owner.value();
  ringer.ring();
  await owner.changed(seen);
  const sleeping = owner.changed(owner.value());
  ringer.ring();
  await sleeping;
  t.is(owner.value(), seen + 2);
});

test('the last wait of a former owner does not take the next one for awake', async (t) => {
  const [former, ringer] = twoSides();
  const lastWait = former.changed(former.value());
  ringer.ring();
  former.retire();
  const owner = new Doorbell(former.shared);
  const sleeping = owner.changed(owner.value());
  await lastWait;
  ringer.ring();
  await sleeping;
  t.pass();
});

function twoSides(): readonly [owner: Doorbell, ringer: Doorbell] {
  const owner = new Doorbell();
  return [owner, new Doorbell(owner.shared)];
}
