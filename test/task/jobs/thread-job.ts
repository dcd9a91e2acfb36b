/** A job for slots in worker threads; `mode` says what its map does. */
import { arg, job } from '../../../src/index.ts';

export default job({ name: 'thread job', args: { mode: arg.string() } }, (env, args) => {
  env.setParallelism(2);
  const hoard: unknown[] = [];
  env.fromSequence(1, args.mode === 'keep' ? Number.MAX_SAFE_INTEGER : 20_000)
    .map((n) => {
      if (args.mode === 'spin' && n === 100) for (;;);
      if (args.mode === 'fail' && n === 100) throw new RangeError('beyond 99');
      if (args.mode === 'exit' && n === 100) process.exit(3);
      if (args.mode === 'hoard') for (let i = 0; i < 1000; i++) hoard.push({ i, n: [n] });
      if (args.mode === 'reject' && n === 100) void Promise.reject(new Error('nobody waits for this'));
      if (args.mode === 'talk' && n % 1000 === 0) console.log(`at ${n}`);
      if (args.mode === 'flood') console.log('x'.repeat(1000));
      return { key: n % (args.mode === 'keep' ? 200_000 : 100), n };
    })
    .name('risky')
    .keyBy((each) => each.key)
    .sum('n')
    .discard({ fold: true })
    .name('out');
});
