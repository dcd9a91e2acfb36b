import test from 'ava';
import { Mailbox } from '../../src/base/mailbox.ts';

test('a mailbox hands out events in order, also those posted while one is handled, and ends when closed', async (t) => {
  const mailbox = new Mailbox<number>(4);
  const seen: number[] = [];
  mailbox.post(1);
  queueMicrotask(() => mailbox.post(2));
  for await (const event of mailbox) {
    seen.push(event);
    if (event === 2) mailbox.post(3);
    if (event === 3) mailbox.close();
  }
  mailbox.post(4);
  t.deepEqual(seen, [1, 2, 3]);
});

test('a mailbox that overflows is a bug', (t) => {
  const mailbox = new Mailbox<number>(1);
  mailbox.post(1);
  t.throws(() => mailbox.post(2), { name: 'BugError' });
});
