/**
 * What the JobManager and TaskManager processes have in common: the words of their command line, their
 * log with its opening lines, signals, readiness and exit codes.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { availableParallelism, userInfo } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import type { Logger } from '../base/log.ts';
import { systemPorts } from '../base/system-ports.ts';
import { Configuration } from '../config/configuration.ts';
import { showFinding } from '../config/finding.ts';
import { options } from '../config/options.ts';
import { ClusterError } from '../protocol/errors.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { ProcessLog } from '../storage/process-log.ts';
import { storageFault } from '../storage/storage-fault.ts';
import { findConfDirectory, readConfiguration, readRevision } from './surroundings.ts';

/** Flink's exit codes of a process that ends by itself. */
export const EXIT_STARTUP_FAILURE = 1;
export const EXIT_RUNTIME_FAILURE = 2;
/** Bound on an orderly stop; `cluster.services.shutdown-timeout` would let a stuck process linger for 30 s. */
const STOP_TIMEOUT_MS = 8_000;

const RULE = '-'.repeat(80);

/** A process that has read its configuration and opened its log. */
export interface Daemon {
  readonly configuration: Configuration;
  readonly log: ProcessLog;
  /** The log file; null in a console without one. */
  readonly logFile: string | null;
  /** Tells who waits for the start that this process is up. */
  ready(): void;
}

/** What a process is called in its log. */
export interface DaemonNames {
  /** In its opening lines and errors, for example `StandaloneSessionClusterEntrypoint`. */
  readonly component: string;
  /** In its last line, which Flink words differently for each. */
  readonly ending: string;
  /** Full logger name of the process's entry. */
  readonly logger: string;
}

/**
 * Runs a process: `start` brings it up and answers how to stop it. Ends the process with Flink's exit codes
 * when starting fails, a bug shows, or a signal asks for it.
 */
export async function runDaemon(names: DaemonNames, start: (daemon: Daemon) => Promise<() => Promise<void>>): Promise<void> {
  const words = parseWords(process.argv.slice(2));
  const logFile = process.env['DREY_LOG_FILE'] ?? null;
  const confDirectory = findConfDirectory(words.confDirectory ?? process.env['FLINK_CONF_DIR']);
  const log = openLog(confDirectory, logFile);
  const logger = log.logger(names.logger);
  const die = (code: number, what: string, cause: unknown): never => {
    // An operating fault has said everything; a stack would only push its message out of the last words.
    if (cause instanceof ClusterError) logger.error(`${what} ${cause.message}`);
    else logger.error(what, cause);
    log.flush();
    if (process.env['DREY_LOG_CONSOLE'] === undefined) {
      process.stderr.write(`${what} ${cause instanceof Error ? cause.message : String(cause)}\n`);
    }
    process.exit(code);
  };
  process.on('uncaughtException', (error) => die(EXIT_RUNTIME_FAILURE, `Fatal error in ${names.component}.`, error));
  process.on('unhandledRejection', (reason) => die(EXIT_RUNTIME_FAILURE, `Fatal error in ${names.component}.`, reason));
  try {
    logOpening(names, logger);
    const configuration = loadLogged(confDirectory, words.dynamic, log);
    const stop = await start({ configuration, log, logFile, ready: announceReady });
    stopOnSignal(names, { logger, log, stop });
  } catch (error) {
    const code = error instanceof ClusterError ? `: ${error.code}` : '';
    die(EXIT_STARTUP_FAILURE, `Could not start ${names.component}${code}.`, error);
  }
}

interface Words {
  readonly confDirectory: string | undefined;
  /** `key=value`, the last of a key wins. */
  readonly dynamic: readonly string[];
}

/** `--configDir D --host H --webui-port P -Dk=v`; `--executionMode cluster` is what old scripts add. */
function parseWords(words: readonly string[]): Words {
  let confDirectory: string | undefined;
  const dynamic: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word.startsWith('-D') && word.length > 2) dynamic.push(word.slice(2));
    else if (word === '-D') dynamic.push(words[++i] ?? '');
    else if (word === '--configDir' || word === '-c') confDirectory = words[++i];
    else if (word === '--host') dynamic.push(`jobmanager.rpc.address=${words[++i] ?? ''}`);
    else if (word === '--webui-port') dynamic.push(`rest.port=${words[++i] ?? ''}`);
    else if (word === '--executionMode') i++;
    else throw new ClusterError('BAD_REQUEST', `unknown word on the command line: ${word}`);
  }
  return { confDirectory, dynamic };
}

function openLog(confDirectory: string | null, logFile: string | null): ProcessLog {
  const onConsole = process.env['DREY_LOG_CONSOLE'] !== undefined;
  const settings = onConsole ? 'log4j-console.properties' : 'log4j.properties';
  return new ProcessLog({
    clock: systemPorts.clock,
    file: logFile,
    ...(onConsole || logFile === null ? { console: (text: string) => void process.stdout.write(text) } : {}),
    complain: (text) => void process.stderr.write(text),
    settingsFile: confDirectory === null ? null : join(confDirectory, settings),
    environment: process.env,
  });
}

function logOpening({ component }: DaemonNames, logger: Logger): void {
  const { commit, date } = readRevision();
  const heapMebibytes = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20);
  logger.info(RULE);
  logger.info(` Starting ${component} (Version: ${DREY_VERSION}, Scala: none, Rev:${commit}, Date:${date})`);
  logger.info(` OS current user: ${userInfo().username}`);
  logger.info(' Current Hadoop/Kerberos user: <no hadoop dependency found>');
  logger.info(` JVM: none - Node.js ${process.version} (V8 ${process.versions.v8})`);
  logger.info(` Arch: ${process.arch}, ${availableParallelism()} processors`);
  logger.info(` Maximum heap size: ${heapMebibytes} MiBytes`);
  logger.info(' JAVA_HOME: (not set)');
  logger.info(' No Hadoop Dependency available');
  logWords(logger, ' JVM Options', process.execArgv);
  logWords(logger, ' Program Arguments', process.argv.slice(2));
  logger.info(` Classpath: ${process.argv[1] ?? ''}`);
  logger.info(RULE);
  logger.info('Registered UNIX signal handlers for [TERM, HUP, INT]');
}

function logWords(logger: Logger, title: string, words: readonly string[]): void {
  if (words.length === 0) return logger.info(`${title}: (none)`);
  logger.info(`${title}:`);
  for (const word of words) logger.info(`    ${word}`);
}

function loadLogged(confDirectory: string | null, dynamic: readonly string[], log: ProcessLog): Configuration {
  const logger = log.logger('org.apache.flink.configuration.GlobalConfiguration');
  const { configuration, findings, path } = readConfiguration(confDirectory, dynamic);
  if (path === null) {
    logger.warn(`There is no flink-conf.yaml or config.yaml in ${confDirectory ?? 'any conf directory'}; every key has its default.`);
  } else {
    const dialect = path.endsWith('flink-conf.yaml') ? 'legacy' : 'standard';
    logger.info(`Using ${dialect} YAML parser to load flink configuration file from ${path}.`);
  }
  for (const { key, text, origin } of configuration.shown()) {
    logger.info(`Loading ${origin.kind === 'dynamic' ? 'dynamic ' : ''}configuration property: ${key}, ${text}`);
  }
  for (const finding of findings) logger.warn(showFinding(finding));
  return configuration;
}

/** `DREY_READY_FILE` is a file, or the descriptor of a pipe, that the starting script watches. */
function announceReady(): void {
  const path = process.env['DREY_READY_FILE'];
  if (path === undefined) return;
  const descriptor = /^\/dev\/fd\/(\d+)$/.exec(path);
  const fd = descriptor ? Number(descriptor[1]) : openSync(path, 'w');
  writeSync(fd, 'ready\n');
  closeSync(fd);
}

function stopOnSignal(
  names: DaemonNames, process_: { readonly logger: Logger; readonly log: ProcessLog; readonly stop: () => Promise<void> },
): void {
  const { logger, log, stop } = process_;
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals, number: number): void => {
    if (isStopping) return;
    isStopping = true;
    logger.info(`RECEIVED SIGNAL ${number}: SIG${signal.slice(3)}. Shutting down as requested.`);
    systemPorts.clock.after(STOP_TIMEOUT_MS, () => {
      logger.error(`${names.component} did not stop within ${STOP_TIMEOUT_MS} ms.`);
      log.flush();
      process.exit(EXIT_RUNTIME_FAILURE);
    });
    stop().then(
      () => {
        logger.info(`Terminating ${names.ending} with exit code 0.`);
        log.close();
        process.exit(0);
      },
      (error: unknown) => {
        logger.error(`Stopping ${names.component} failed.`, error);
        log.flush();
        process.exit(EXIT_RUNTIME_FAILURE);
      },
    );
  };
  process.on('SIGTERM', (signal) => onSignal(signal, 15));
  process.on('SIGINT', (signal) => onSignal(signal, 2));
  process.on('SIGHUP', (signal) => onSignal(signal, 1));
}

/** Directory for this process's own files: the first of `io.tmp.dirs`, or the system's. */
export function temporaryDirectory(configuration: Configuration, systemDirectory: string): string {
  return configuration.get(options.tempDirectories)?.[0] ?? systemDirectory;
}

/** Makes a directory now: that it cannot be made is better heard by who starts the process than by the first job. */
export function makeDirectory(path: string, key: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (thrown) {
    const { code, message } = storageFault('create', path, thrown);
    throw new ClusterError(code, `${message} (set ${key})`, { cause: thrown });
  }
}

/** Heartbeats of both ends. */
export function heartbeatOptions(configuration: Configuration): { readonly intervalMs: number; readonly timeoutMs: number } {
  return { intervalMs: configuration.get(options.heartbeatInterval), timeoutMs: configuration.get(options.heartbeatTimeout) };
}

/** Every setting by key, secrets included: for the processes of the cluster, never for showing. */
export function flatTexts(configuration: Configuration): Record<string, string> {
  return Object.fromEntries(Array.from(configuration.all(), ({ key, text }) => [key, text]));
}
