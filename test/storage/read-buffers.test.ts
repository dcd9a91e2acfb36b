import test from 'ava';
import { READ_SIZE_BYTES, ReadBuffers } from '../../src/storage/read-buffers.ts';

test('what was given back is taken again, whole', (t) => {
  const buffers = new ReadBuffers();
  const first = buffers.take();
  t.is(first.length, READ_SIZE_BYTES);
  buffers.give(Buffer.from(first.buffer, 10, 100));
  const again = buffers.take();
  t.is(again.buffer, first.buffer);
  t.is(again.length, READ_SIZE_BYTES);
  t.not(buffers.take().buffer, first.buffer, 'nobody has it twice');
});

test('memory of other sizes and kinds is left alone', (t) => {
  const buffers = new ReadBuffers();
  const others = [new Uint8Array(10), new Uint8Array(new SharedArrayBuffer(READ_SIZE_BYTES))];
  for (const other of others) buffers.give(other);
  for (const other of others) t.not(buffers.take().buffer, other.buffer);
});
