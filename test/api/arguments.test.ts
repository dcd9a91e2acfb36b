import test from 'ava';
import fc from 'fast-check';
import { arg, job } from '../../src/index.ts';
import { ClusterError } from '../../src/protocol/errors.ts';

const program = job(
  {
    name: 'arguments',
    args: {
      input: arg.path(),
      top: arg.int({ default: 10, description: 'how many' }),
      rate: arg.number({ optional: true }),
      mode: arg.choice(['fast', 'exact'], { default: 'fast' }),
      verbose: arg.boolean(),
    },
  },
  (env) => void env.fromElements(1).print(),
);

test('values follow their name or an equals sign; switches stand alone', (t) => {
  const args = program.parseArgs(['--input', '/in', '--top=3', '--rate', '0.5', '--mode', 'exact', '--verbose']);
  t.deepEqual(args, { input: '/in', top: 3, rate: 0.5, mode: 'exact', verbose: true });
});

test('defaults fill in what is not given; optional arguments stay absent', (t) => {
  t.deepEqual(program.parseArgs(['--input', 'hdfs://nn/in']), { input: 'hdfs://nn/in', top: 10, mode: 'fast', verbose: false });
});

test('a switch takes a value that is true or false, and leaves other words alone', (t) => {
  t.is(program.parseArgs(['--input', '/in', '--verbose', 'false'])['verbose'], false);
  t.is(program.parseArgs(['--verbose', '--input', '/in'])['verbose'], true);
});

test('a relative path is resolved where it is parsed', (t) => {
  t.is(program.parseArgs(['--input', 'some text.txt'])['input'], `${process.cwd()}/some text.txt`);
  t.is(program.parseArgs(['--input', 'some text.txt'], '/home/me')['input'], '/home/me/some text.txt');
});

test('a negative number is a value', (t) => {
  t.is(program.parseArgs(['--input', '/in', '--top', '-3'])['top'], -3);
});

test('mistakes name the argument and what to write', (t) => {
  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /missing --input/],
    [['--inptu', '/in'], /unknown argument --inptu, did you mean --input\?/],
    [['--input'], /--input needs a value/],
    [['--input', '/in', '--top', 'many'], /--top: expected an integer, not 'many'/],
    [['--input', '/in', '--mode', 'slow'], /--mode: expected one of fast, exact, not 'slow'/],
    [['--input', '/a', '--input', '/b'], /--input is given twice/],
    [['/in'], /'\/in' is not an argument/],
  ];
  for (const [words, message] of refusals) {
    const error = t.throws(() => program.parseArgs(words), { instanceOf: ClusterError, message });
    t.is(error?.code, 'PROGRAM_INVALID');
  }
});

test('any text survives as a value, after an equals sign or as a word of its own', (t) => {
  const words = job({ name: 'text', args: { text: arg.string() } }, (env) => void env.fromElements(1).print());
  const survives = (text: string, given: readonly string[]) => words.parseArgs(given)['text'] === text;
  fc.assert(fc.property(fc.string(), (text) => survives(text, [`--text=${text}`]) && survives(text, ['--text', text])));
  t.pass();
});
