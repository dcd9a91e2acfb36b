/** What remains of anything that was thrown: always a text, bounded, and never another throw. */
import test from 'ava';
import { errorInfo, thrownText } from '../../src/protocol/errors.ts';

/** What user code can throw besides a well-behaved Error. */
const HOSTILE: Readonly<Record<string, unknown>> = {
  'a text': 'just text',
  'null': null,
  'undefined': undefined,
  'a symbol': Symbol('s'),
  'an object': { code: 42, detail: 'x' },
  'an object whose text throws': { toString() { throw new Error('gotcha'); }, [Symbol.toPrimitive]() { throw new Error('gotcha'); } },
  'a proxy that refuses': new Proxy({}, { get() { throw new Error('gotcha'); }, getPrototypeOf() { return null; } }),
  'an error whose message throws': Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('gotcha'); } }),
  'an error whose cause throws': Object.defineProperty(new Error('x'), 'cause', { get() { throw new Error('gotcha'); } }),
};

for (const [what, thrown] of Object.entries(HOSTILE)) {
  test(`${what} can be described and sent`, (t) => {
    t.notThrows(() => structuredClone(errorInfo(thrown)));
    t.true(thrownText(thrown).length > 0);
  });
}

test('what is no Error is shown, with what to throw instead', (t) => {
  t.is(thrownText({ code: 42, detail: 'x' }), "it threw { code: 42, detail: 'x' }, which is no Error and knows no place: throw new Error(…)");
  t.deepEqual(errorInfo(null), { code: 'USER_CODE', className: 'null', message: 'null', stack: '' });
});

test('a message and a stack of any length cross in bounded size, and keep both ends', (t) => {
  const { message, stack } = errorInfo(new Error(`begin ${'y'.repeat(5_000_000)} end`));
  t.true(message.length < 20_000 && stack.length < 20_000);
  t.regex(message, /^begin y+ … \(\d+ characters left out\) … y+ end$/);
  t.regex(stack, /errors\.test\.[jt]s:\d+:\d+/, 'frames come after the message');
});
