import test from 'ava';
import { CodeWriter } from '../../src/base/code-writer.ts';

test('generated code reaches user values through the constants table only', (t) => {
  const writer = new CodeWriter();
  const evil = '"); process.exit(1); ("';
  const greet = writer.constant('greet', (name: string) => `hello ${name}`);
  writer.block('return (times) =>', () => {
    writer.line('let all = "";');
    writer.block('for (let i = 0; i < times; i++)', () => writer.line(`all += ${greet}(${JSON.stringify(evil)});`));
    writer.line('return all;');
  }, ';');
  const run = writer.build('test/greet') as (times: number) => string;
  t.is(run(2), `hello ${evil}`.repeat(2));
});

test('a hint that is not an identifier never becomes one', (t) => {
  const writer = new CodeWriter();
  t.regex(writer.name('a b;c'), /^v_\d+$/);
  t.not(writer.name('x'), writer.name('x'));
});
