/** The log of a process: files, rolling, levels that change while it runs, disks that fail. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Clock } from '../../src/base/ports.ts';
import { parseLogSettings } from '../../src/storage/log-settings.ts';
import { ProcessLog, type ProcessLogOptions } from '../../src/storage/process-log.ts';
import { RollingFile } from '../../src/storage/rolling-file.ts';

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'drey log '));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A clock that stands still: timers are kept, and run when the test says so. */
class StandingClock implements Clock {
  readonly delayed: (() => void)[] = [];
  readonly repeated: { intervalMs: number; callback: () => void }[] = [];
  nowMs = () => 0;
  monotonicMs = () => 0;

  after(_delayMs: number, callback: () => void) {
    this.delayed.push(callback);
    return { cancel: () => undefined };
  }

  every(intervalMs: number, callback: () => void) {
    this.repeated.push({ intervalMs, callback });
    return { cancel: () => undefined };
  }
}

function openLog(t: ExecutionContext, options: Partial<ProcessLogOptions> = {}) {
  const clock = new StandingClock();
  const log = new ProcessLog({ clock, file: null, settingsFile: null, environment: {}, ...options });
  t.teardown(() => log.close());
  return { clock, log };
}

const messagesIn = (path: string) => readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => line.replace(/^.* - /, ''));

test('a line of a logger that is on reaches the file, one of a logger that is off does not', (t) => {
  const file = join(directory(t), 'sub', 'a.log');
  const { clock, log } = openLog(t, { file });
  log.logger('a').debug('hidden');
  log.logger('a').info('shown');
  t.false(existsSync(file));
  clock.delayed[0]?.();
  t.deepEqual(messagesIn(file), ['shown']);
});

test('a warning is written at once, with all that came before it', (t) => {
  const file = join(directory(t), 'a.log');
  const { log } = openLog(t, { file });
  log.logger('a').info('first');
  log.logger('b').warn('second', new Error('why'));
  t.deepEqual(messagesIn(file).slice(0, 3), ['first', 'second', 'Error: why']);
});

test('flush and close write what waits, and a line after close is not lost', (t) => {
  const file = join(directory(t), 'a.log');
  const { log } = openLog(t, { file });
  log.logger('a').info('one');
  log.flush();
  log.logger('a').info('two');
  log.close();
  log.logger('a').error('three');
  t.deepEqual(messagesIn(file), ['one', 'two', 'three']);
});

test('in the foreground every line goes to the console too', (t) => {
  const shown: string[] = [];
  const { log } = openLog(t, { console: (text) => shown.push(text) });
  log.logger('a').error('x');
  t.regex(shown.join(''), / - x\n$/);
});

test('levels change while the process runs, when their file does', (t) => {
  const place = directory(t);
  const settingsFile = join(place, 'log4j.properties');
  const file = join(place, 'a.log');
  writeFileSync(settingsFile, 'monitorInterval=30\nrootLogger.level = WARN\n');
  const { clock, log } = openLog(t, { file, settingsFile });
  const logger = log.logger('org.apache.flink.x');
  t.false(logger.isEnabled('INFO'));
  t.is(clock.repeated[0]?.intervalMs, 30_000);

  writeFileSync(settingsFile, 'monitorInterval=30\nlogger.x.name = org.apache.flink\nlogger.x.level = DEBUG\n');
  utimesSync(settingsFile, 5, 5);
  clock.repeated[0]?.callback();
  t.true(logger.isEnabled('DEBUG'));

  rmSync(settingsFile);
  clock.repeated[0]?.callback();
  t.true(logger.isEnabled('DEBUG'), 'a file that is taken away changes nothing');
});

test("the settings of Flink's own log4j.properties are understood", (t) => {
  const text = [
    '# a comment', 'monitorInterval=30', 'rootLogger.level = ${env:ROOT_LOG_LEVEL:-INFO}', 'rootLogger.appenderRef.file.ref = MainAppender',
    'logger.pekko.name = org.apache.pekko', 'logger.pekko.level = DEBUG', 'logger.netty.name = org.jboss.netty', 'logger.netty.level = OFF',
    'appender.main.fileName = ${sys:log.file}', 'appender.main.layout.pattern = %d %m%n', 'appender.main.policies.size.size = 10MB',
    'appender.main.strategy.max = ${env:MAX_LOG_FILE_NUMBER:-7}',
  ].join('\n');
  t.deepEqual(parseLogSettings(text, { ROOT_LOG_LEVEL: 'ERROR' }), {
    levels: { root: 'ERROR', byPrefix: new Map([['org.apache.pekko', 'DEBUG'], ['org.jboss.netty', 'OFF']]) },
    pattern: '%d %m%n',
    sizeBytesMax: 10 * 1024 ** 2,
    filesMax: 7,
    monitorIntervalMs: 30_000,
  });
  t.like(parseLogSettings('', { ROOT_LOG_LEVEL: 'debug', MAX_LOG_FILE_NUMBER: '3' }), { levels: { root: 'DEBUG' }, filesMax: 3, monitorIntervalMs: 0 });
});

test('a file is rolled at each start and at its size; the newest old file has the highest number', (t) => {
  const place = directory(t);
  const path = join(place, 'a.log');
  for (const text of ['one', 'two', 'three']) {
    const file = new RollingFile(path, { sizeBytesMax: 1000, filesMax: 5 });
    file.append(text);
    file.close();
  }
  const file = new RollingFile(path, { sizeBytesMax: 4, filesMax: 5 });
  file.append('four');
  file.append('five');
  file.close();
  const content = Object.fromEntries(readdirSync(place).map((name) => [name, readFileSync(join(place, name), 'utf8')]));
  t.deepEqual(content, { 'a.log': 'five', 'a.log.1': 'one', 'a.log.2': 'two', 'a.log.3': 'three', 'a.log.4': 'four' });
});

test('at the limit the oldest file goes and the others move down', (t) => {
  const path = join(directory(t), 'a.log');
  const file = new RollingFile(path, { sizeBytesMax: 1, filesMax: 2 });
  for (const text of ['1', '2', '3', '4']) file.append(text);
  file.close();
  t.deepEqual([path, `${path}.1`, `${path}.2`].map((name) => readFileSync(name, 'utf8')), ['4', '2', '3']);
  t.false(existsSync(`${path}.3`));
});

test('a full disk drops lines, says so once, and is told in the log when it takes lines again', (t) => {
  const place = directory(t);
  const file = join(place, 'a.log');
  const complaints: string[] = [];
  const { log } = openLog(t, { file, complain: (text) => complaints.push(text) });
  symlinkSync('/dev/full', file);
  for (const message of ['a', 'b', 'c']) t.notThrows(() => log.logger('x').error(message));
  t.is(complaints.length, 1);
  log.close();
  rmSync(file);
  log.logger('x').error('d');
  t.regex(readFileSync(file, 'utf8'), /^\(3 writes to this log failed and are missing here\)\n.* - d\n$/);
});

test('a directory that cannot be made does not stop the process', (t) => {
  const place = directory(t);
  writeFileSync(join(place, 'taken'), '');
  const { log } = openLog(t, { file: join(place, 'taken', 'a.log') });
  t.notThrows(() => log.logger('x').error('a'));
});
