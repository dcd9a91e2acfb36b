/**
 * The log of a process: loggers by name, levels that an operator may change while it runs, a rolled file
 * and, in the foreground, the console.
 *
 * Lines are gathered for a moment and written together; warnings and errors are written at once with all that
 * came before. `main` calls `flush` when the process ends, however it ends.
 */
import { readFileSync, statSync } from 'node:fs';
import type { LogLevel, Logger, LoggerSource } from '../base/log.ts';
import type { LogThreshold } from '../base/log-levels.ts';
import { isAbove, thresholdOf } from '../base/log-levels.ts';
import type { LogLayout } from '../base/log-pattern.ts';
import { compileLayout, showThrown } from '../base/log-pattern.ts';
import type { Clock, Timer } from '../base/ports.ts';
import type { LogSettings } from './log-settings.ts';
import { parseLogSettings } from './log-settings.ts';
import { RollingFile } from './rolling-file.ts';

/** How long a line may wait for others. */
const FLUSH_DELAY_MS = 10;
/** Characters that may wait. */
const PENDING_CHARACTERS_MAX = 64 * 1024;

/** What the log of a process is made from. */
export interface ProcessLogOptions {
  readonly clock: Clock;
  /** `flink-<user>-<daemon>-<id>-<host>.log`; null for no file. */
  readonly file: string | null;
  /** Receives every line as well, in the foreground. */
  readonly console?: (text: string) => void;
  /** Told once each time that the file stops taking lines. */
  readonly complain?: (text: string) => void;
  /** A `log4j.properties`; null, or a file that is not there, for what Flink ships. */
  readonly settingsFile: string | null;
  /** For `${env:…}`, `ROOT_LOG_LEVEL` and `MAX_LOG_FILE_NUMBER`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The log of this process. One per process. */
export class ProcessLog implements LoggerSource {
  private readonly options: ProcessLogOptions;
  private readonly file: RollingFile | null;
  private readonly loggers = new Map<string, ProcessLogger>();
  private settings: LogSettings;
  private settingsModifiedMs: number;
  private layout: LogLayout;
  private monitor: Timer | null = null;
  private pending: string[] = [];
  private pendingCharacters = 0;
  private flushTimer: Timer | null = null;

  constructor(options: ProcessLogOptions) {
    this.options = options;
    this.settingsModifiedMs = modifiedMsOf(options.settingsFile);
    this.settings = parseLogSettings(readText(options.settingsFile) ?? '', options.environment);
    this.layout = compileLayout(this.settings.pattern);
    this.file = options.file === null ? null : new RollingFile(options.file, this.settings);
    this.watchSettings();
  }

  logger(name: string): Logger {
    let logger = this.loggers.get(name);
    if (logger === undefined) {
      const write: Write = (level, message, cause) => this.write(level, name, message, cause);
      logger = new ProcessLogger(name, thresholdOf(this.settings.levels, name), write);
      this.loggers.set(name, logger);
    }
    return logger;
  }

  /** Writes what waits. Never throws. */
  flush(): void {
    this.flushTimer?.cancel();
    this.flushTimer = null;
    if (this.pending.length === 0) return;
    const text = this.pending.join('');
    this.pending = [];
    this.pendingCharacters = 0;
    this.options.console?.(text);
    if (this.file === null) return;
    this.file.append(text);
    if (this.file.droppedCount === 1) this.options.complain?.(`The log file ${this.options.file} cannot be written.\n`);
  }

  /** Flushes, and stops watching the settings. Lines that are logged later are still written. */
  close(): void {
    this.monitor?.cancel();
    this.monitor = null;
    this.flush();
    this.file?.close();
  }

  private write(level: LogLevel, logger: string, message: string, cause: unknown): void {
    const line = this.layout({ nowMs: this.options.clock.nowMs(), level, logger, message }) + showThrown(cause);
    this.pending.push(line);
    this.pendingCharacters += line.length;
    if (level === 'WARN' || level === 'ERROR' || this.pendingCharacters > PENDING_CHARACTERS_MAX) this.flush();
    else this.flushTimer ??= this.options.clock.after(FLUSH_DELAY_MS, () => this.flush());
  }

  private watchSettings(): void {
    const { monitorIntervalMs } = this.settings;
    if (monitorIntervalMs > 0) this.monitor = this.options.clock.every(monitorIntervalMs, () => this.reviewSettings());
  }

  /** Reads the settings again when their file has changed. */
  private reviewSettings(): void {
    const modifiedMs = modifiedMsOf(this.options.settingsFile);
    if (modifiedMs === this.settingsModifiedMs) return;
    const text = readText(this.options.settingsFile);
    if (text === null) return; // Taken away, or half replaced: the last settings stand until it can be read.
    this.settingsModifiedMs = modifiedMs;
    this.settings = parseLogSettings(text, this.options.environment);
    this.layout = compileLayout(this.settings.pattern);
    this.file?.setLimits(this.settings);
    for (const logger of this.loggers.values()) logger.threshold = thresholdOf(this.settings.levels, logger.name);
  }
}

type Write = (level: LogLevel, message: string, cause?: unknown) => void;

class ProcessLogger implements Logger {
  readonly name: string;
  threshold: LogThreshold;
  private readonly write: Write;

  constructor(name: string, threshold: LogThreshold, write: Write) {
    this.name = name;
    this.threshold = threshold;
    this.write = write;
  }

  isEnabled(level: LogLevel): boolean {
    return isAbove(this.threshold, level);
  }

  trace(message: string): void {
    if (this.isEnabled('TRACE')) this.write('TRACE', message);
  }

  debug(message: string): void {
    if (this.isEnabled('DEBUG')) this.write('DEBUG', message);
  }

  info(message: string): void {
    if (this.isEnabled('INFO')) this.write('INFO', message);
  }

  warn(message: string, cause?: unknown): void {
    if (this.isEnabled('WARN')) this.write('WARN', message, cause);
  }

  error(message: string, cause?: unknown): void {
    if (this.isEnabled('ERROR')) this.write('ERROR', message, cause);
  }
}

/** The text of the settings file; null when it cannot be read. */
function readText(path: string | null): string | null {
  if (path === null) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (failure) {
    if (!(failure instanceof Error && 'code' in failure)) throw failure;
    return null;
  }
}

/** 0 for a file that is not there. */
function modifiedMsOf(path: string | null): number {
  return path === null ? 0 : (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}
