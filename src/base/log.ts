/**
 * Logging as the rooms see it. Logger names are Flink's class names below `org.apache.flink.runtime.`
 * so that operators' greps hit; `main` supplies the sink (file, pattern, levels, rotation).
 */

/** Levels in rising order of weight. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** A named logger. `cause` is printed after the message, with its stack and its own causes. */
export interface Logger {
  trace(message: string): void;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string, cause?: unknown): void;
  error(message: string, cause?: unknown): void;
  /** Whether `level` is on; guards messages that cost something to build. */
  isEnabled(level: LogLevel): boolean;
}

/** Makes loggers. `name` is the full dotted name, for example `org.apache.flink.runtime.jobmaster.JobMaster`. */
export interface LoggerSource {
  logger(name: string): Logger;
}

const silent: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isEnabled: () => false,
};

/** Loggers that write nothing; for tests and embedded clusters. */
export const silentLoggers: LoggerSource = { logger: () => silent };

/** Logs at a level that is a value: for lines that another thread hands over. */
export function logAt(logger: Logger, level: LogLevel, message: string): void {
  switch (level) {
    case 'TRACE':
      return logger.trace(message);
    case 'DEBUG':
      return logger.debug(message);
    case 'INFO':
      return logger.info(message);
    case 'WARN':
      return logger.warn(message);
    case 'ERROR':
      return logger.error(message);
  }
}
