/** flatMap where its upstream cannot stop: records wait in front of it, in order, and none is forgotten. */
import test from 'ava';
import { edge, node, OperatorDriver } from './operator-driver.ts';

function* repeat(n: number): Iterable<number> {
  for (let i = 0; i < n; i++) yield n;
}

for (const mode of ['generated', 'interpreted'] as const) {
  test(`records that wait are given out in order, those without results included, ${mode}`, async (t) => {
    const burst = node(1, { kind: 'flatMap', data: {}, user: { flatMap: (n, out) => [n, 0, 0, 2, n].forEach((each) => out.emit(each)) } });
    const lazy = node(2, { kind: 'flatMap', data: {}, user: { flatMap: (n) => repeat(n as number) } });
    const driver = new OperatorDriver([burst, lazy], [edge(1, 2)], { mode, refuses: true });
    await driver.open();
    await driver.run([3, 1], { batchSize: 2 });
    await driver.settle();
    t.deepEqual(driver.values(), [3, 3, 3, 2, 2, 3, 3, 3, 1, 2, 2, 1]);
    t.is(driver.writers[0]?.overdraft, 0, 'returned iterables are pulled only as room appears');
  });

  test(`an endless iterable is pulled no further than there is room, ${mode}`, async (t) => {
    let pulled = 0;
    const endless = node(1, { kind: 'flatMap', data: {}, user: { *flatMap() { for (;;) yield pulled++; } } });
    const driver = new OperatorDriver([endless], [], { mode, refuses: true });
    await driver.open();
    await driver.run([1], { batchSize: 1 });
    t.is(pulled, 1);
    await driver.close();
  });

  test(`what is neither an iterable nor nothing is refused, ${mode}`, async (t) => {
    for (const [answer, shown] of [[5, 'a value of type number'], [null, 'null']] as const) {
      const odd = node(1, { kind: 'flatMap', data: {}, user: { flatMap: () => answer as never } }, { name: 'odd' });
      const driver = new OperatorDriver([odd], [], { mode });
      await driver.open();
      await t.throwsAsync(driver.run([1], { batchSize: 1 }), {
        message: new RegExp(`^operator 'odd' failed.*: TypeError: its function returned ${shown}`),
      });
    }
  });

  test(`a generator that is not used up is ended when the task is closed, ${mode}`, async (t) => {
    let ended = false;
    const endless = node(1, { kind: 'flatMap', data: {}, user: { *flatMap() { try { for (;;) yield 1; } finally { ended = true; } } } });
    const driver = new OperatorDriver([endless], [], { mode, refuses: true });
    await driver.open();
    await driver.run([1], { batchSize: 1 });
    await driver.close();
    t.true(ended);
  });
}
