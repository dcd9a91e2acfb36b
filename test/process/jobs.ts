/** Job files that the tests of real processes submit, as a user would write them. */

/** Runs until it is cancelled. */
export const HOLD = `import { dataGenerator, job } from 'drey';
export default job({ name: 'hold' }, (env) => {
  env.fromSource(dataGenerator({ generate: (index) => index, ratePerSecond: 20 })).map((n) => n + 1).discard();
});
`;

/** Fails at the third record. */
export const POISON = `import { job } from 'drey';
export default job({ name: 'poison' }, (env) => {
  env.fromElements(1, 2, 3, 4).map((n) => {
    if (n === 3) throw new TypeError('poison record ' + n);
    return n;
  }).print();
});
`;

/** Its function never returns. */
export const STUCK = `import { job } from 'drey';
export default job({ name: 'stuck' }, (env) => {
  env.fromElements(1).map((n) => { while (true) n += 1; return n; }).print();
});
`;

/** Prints one line and ends. */
export const HELLO = `import { job } from 'drey';
export default job({ name: 'hello' }, (env) => {
  env.fromElements('hello').map((word) => word + ' from a job').print();
});
`;
