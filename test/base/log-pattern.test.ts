import test from 'ava';
import { isAbove, parseThreshold, thresholdOf } from '../../src/base/log-levels.ts';
import { FLINK_PATTERN, compileLayout, showThrown } from '../../src/base/log-pattern.ts';

const event = {
  nowMs: new Date(2024, 7, 12, 9, 15, 2, 45).getTime(),
  level: 'INFO',
  logger: 'org.apache.flink.runtime.dispatcher.StandaloneDispatcher',
  message: 'Received 100% of it.',
} as const;

test("the pattern of Flink gives Flink's line", (t) => {
  t.is(
    compileLayout(FLINK_PATTERN)(event),
    '2024-08-12 09:15:02,045 INFO  org.apache.flink.runtime.dispatcher.StandaloneDispatcher     [] - Received 100% of it.\n',
  );
});

test('a logger name longer than its column runs over, and a maximum width keeps its end', (t) => {
  const logger = `a.${'b'.repeat(70)}`;
  t.is(compileLayout('%-60c|')({ ...event, logger }), `${logger}|`);
  t.is(compileLayout('%.10c|%8p|%c{1}|%t')(event), 'Dispatcher|    INFO|StandaloneDispatcher|main');
});

test('what a pattern does not know is printed as it stands, and two percent signs are one', (t) => {
  t.is(compileLayout('%m %% %q{x} %')(event), 'Received 100% of it. % %q{x} %');
  t.is(compileLayout("%d{yyyy 'at' HH} %d{ISO8601}")(event), '2024 at 09 2024-08-12T09:15:02,045');
});

test('an error is followed by its causes, each with its stack', (t) => {
  const root = new TypeError('root');
  const lines = showThrown(new Error('outer', { cause: new Error('inner', { cause: root }) })).split('\n');
  t.is(lines[0], 'Error: outer');
  t.deepEqual(lines.filter((line) => line.startsWith('Caused by: ')), ['Caused by: Error: inner', 'Caused by: TypeError: root']);
  t.true(lines.some((line) => line.startsWith('    at ')));
  t.is(lines.at(-1), '');
});

test('a chain of causes that bites its tail ends, and anything may be thrown', (t) => {
  const snake = new Error('snake');
  snake.cause = snake;
  t.is(showThrown(snake).match(/Caused by: /g)?.length, 15);
  t.is(showThrown('text'), 'text\n');
  t.is(showThrown(undefined), '');
});

test('the longest prefix decides the level of a logger, and a prefix ends at a dot', (t) => {
  const levels = { root: 'WARN', byPrefix: new Map<string, 'DEBUG' | 'OFF'>([['a.b', 'DEBUG'], ['a.b.c', 'OFF']]) } as const;
  t.deepEqual(['a', 'a.b', 'a.bx', 'a.b.d.e', 'a.b.c', 'a.b.c.d'].map((name) => thresholdOf(levels, name)), ['WARN', 'DEBUG', 'WARN', 'DEBUG', 'OFF', 'OFF']);
});

test('a threshold lets its own level and heavier ones through', (t) => {
  const through = (threshold: Parameters<typeof isAbove>[0]) => (['TRACE', 'INFO', 'ERROR'] as const).filter((level) => isAbove(threshold, level));
  t.deepEqual([through('ALL'), through('INFO'), through('ERROR'), through('OFF')], [['TRACE', 'INFO', 'ERROR'], ['INFO', 'ERROR'], ['ERROR'], []]);
  t.deepEqual(['debug', ' FATAL', 'loud'].map(parseThreshold), ['DEBUG', 'ERROR', null]);
});
