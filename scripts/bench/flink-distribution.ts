/**
 * Apache Flink on this machine, for comparison: fetches the official libraries into an ignored cache,
 * compiles the Java jobs beside this file and runs a session cluster on loopback.
 *
 *     .cache/flink/apache_flink_libraries-*.whl ── unzip ──► unpacked/pyflink/lib/*.jar
 *     scripts/bench/java/*.java ── javac, jar ──► jobs.jar
 *
 * The processes are started directly with the arguments that Flink's scripts would compute, without the
 * scripts' own helper JVMs, so its start-up times are if anything flattered.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { awaitSlots, submittedJobId, type Cluster } from './cluster-client.ts';
import { clock, freePorts, logTail, runCommand, startProcess, type BenchProcess } from './processes.ts';

export const FLINK_VERSION = '2.3.0';
/** Everything fetched or made for benchmarks lives here. */
export const CACHE_DIRECTORY = resolve('.cache');
const FLINK_DIRECTORY = join(CACHE_DIRECTORY, 'flink');
const JAVA_SOURCES = resolve('scripts/bench/java');
const START_TIMEOUT_MS = 60_000;

/** From the `env.java.opts.all` of Flink's own config.yaml. */
const JAVA_MODULE_OPTIONS = [
  'add-exports=java.base/sun.net.util',
  'add-exports=java.rmi/sun.rmi.registry',
  'add-exports=java.management/sun.management',
  'add-exports=java.security.jgss/sun.security.krb5',
  'add-opens=java.base/java.lang',
  'add-opens=java.base/java.net',
  'add-opens=java.base/java.io',
  'add-opens=java.base/java.nio',
  'add-opens=java.base/sun.nio.ch',
  'add-opens=java.base/java.lang.reflect',
  'add-opens=java.base/java.text',
  'add-opens=java.base/java.time',
  'add-opens=java.base/java.util',
  'add-opens=java.base/java.util.concurrent',
  'add-opens=java.base/java.util.concurrent.atomic',
  'add-opens=java.base/java.util.concurrent.locks',
].map((option) => `--${option}=ALL-UNNAMED`);

/** The libraries and the compiled jobs. */
export interface FlinkDistribution {
  readonly classPath: string;
  readonly jobsJar: string;
  /** First line of `java -version`. */
  readonly javaVersion: string;
}

/** Fetches, unpacks and compiles what is missing. */
export function prepareFlink(): FlinkDistribution {
  mkdirSync(FLINK_DIRECTORY, { recursive: true });
  const unpacked = join(FLINK_DIRECTORY, 'unpacked');
  if (!existsSync(unpacked)) unpack(unpacked);
  const jars = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
    .filter((path) => /(^|\/)lib\/[^/]+\.jar$/u.test(path))
    .map((path) => join(unpacked, path));
  if (jars.length === 0) throw new Error(`${unpacked} holds no lib/*.jar: remove it and try again`);
  const classPath = jars.join(':');
  return { classPath, jobsJar: compileJobs(classPath), javaVersion: javaVersion() };
}

function unpack(target: string): void {
  const wheels = (): string[] => readdirSync(FLINK_DIRECTORY).filter((name) => name.endsWith('.whl'));
  if (wheels().length === 0) {
    runCommand('pip', ['download', `apache-flink-libraries==${FLINK_VERSION}`, '--no-deps', '--dest', FLINK_DIRECTORY]);
  }
  const [wheel] = wheels();
  if (wheel === undefined) throw new Error(`pip left no wheel in ${FLINK_DIRECTORY}`);
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  runCommand('python3', ['-m', 'zipfile', '-e', join(FLINK_DIRECTORY, wheel), partial]);
  runCommand('mv', [partial, target]);
}

function compileJobs(classPath: string): string {
  const jar = join(FLINK_DIRECTORY, 'jobs.jar');
  const sources = readdirSync(JAVA_SOURCES).map((name) => join(JAVA_SOURCES, name));
  const newestMs = Math.max(...sources.map((source) => statSync(source).mtimeMs));
  if (existsSync(jar) && statSync(jar).mtimeMs > newestMs) return jar;
  const classes = join(FLINK_DIRECTORY, 'classes');
  rmSync(classes, { recursive: true, force: true });
  runCommand('javac', ['-nowarn', '-cp', classPath, '-d', classes, ...sources]);
  runCommand('jar', ['cf', jar, '-C', classes, '.']);
  return jar;
}

function javaVersion(): string {
  return runCommand('java', ['--version']).stdout.split('\n')[0] ?? 'unknown';
}

/** Processes and slots of a cluster. */
export interface ClusterOptions {
  readonly taskManagers: number;
  readonly slotsPerTaskManager: number;
}

/** Starts a cluster and waits until all slots have registered. `startMs` is that wait. */
export async function startFlink(
  flink: FlinkDistribution,
  options: ClusterOptions,
): Promise<{ readonly cluster: Cluster; readonly startMs: number }> {
  const home = join(FLINK_DIRECTORY, `cluster-${process.pid}`);
  rmSync(home, { recursive: true, force: true });
  const [restPort = 0, rpcPort = 0] = await freePorts(2);
  writeConfiguration(home, { restPort, rpcPort, slotsPerTaskManager: options.slotsPerTaskManager });
  const startedMs = clock.monotonicMs();
  const processes = [startJobManager(flink, home)];
  for (let i = 0; i < options.taskManagers; i++) processes.push(startTaskManager(flink, home, i, options.slotsPerTaskManager));
  const restUrl = `http://127.0.0.1:${restPort}`;
  try {
    await awaitSlots(restUrl, options.taskManagers * options.slotsPerTaskManager, START_TIMEOUT_MS);
  } catch (error) {
    const tails = processes.map(({ logFile }) => logTail(logFile)).join('\n');
    await stopAll(processes);
    throw new Error(`Flink did not start:\n${tails}`, { cause: error });
  }
  const startMs = clock.monotonicMs() - startedMs;
  return { cluster: clusterOf(flink, home, restUrl, processes), startMs };
}

function clusterOf(flink: FlinkDistribution, home: string, restUrl: string, processes: readonly BenchProcess[]): Cluster {
  return {
    name: 'flink',
    restUrl,
    pids: processes.map(({ pid }) => pid),
    submit: (job, args) => {
      const command = [
        ...javaOptions(flink, home, ['-Xmx256m']),
        'org.apache.flink.client.cli.CliFrontend',
        ...['run', '-d', '-c', job, flink.jobsJar, ...args],
      ];
      const { stdout, durationMs } = runCommand('java', command, { FLINK_CONF_DIR: join(home, 'conf') });
      return { jobId: submittedJobId(stdout), durationMs };
    },
    stop: async () => {
      await stopAll(processes);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function stopAll(processes: readonly BenchProcess[]): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
}

function startJobManager(flink: FlinkDistribution, home: string): BenchProcess {
  return startProcess({
    command: 'java',
    args: [
      ...javaOptions(flink, home, ['-Xmx1g', '-Xms1g', '-XX:MaxMetaspaceSize=256m']),
      'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint',
      ...['--configDir', join(home, 'conf'), '--executionMode', 'cluster'],
    ],
    logFile: join(home, 'log', 'jobmanager.log'),
  });
}

/** The `-D` values are those that taskmanager.sh computes from the memory options. */
function startTaskManager(flink: FlinkDistribution, home: string, index: number, slots: number): BenchProcess {
  const resources: Readonly<Record<string, string>> = {
    'taskmanager.cpu.cores': `${slots}.0`,
    'taskmanager.memory.framework.heap.size': '134217728b',
    'taskmanager.memory.framework.off-heap.size': '134217728b',
    'taskmanager.memory.task.heap.size': '939524096b',
    'taskmanager.memory.task.off-heap.size': '0b',
    'taskmanager.memory.managed.size': '0b',
    'taskmanager.memory.network.min': '134217728b',
    'taskmanager.memory.network.max': '134217728b',
    'taskmanager.memory.jvm-metaspace.size': '268435456b',
    'taskmanager.memory.jvm-overhead.min': '201326592b',
    'taskmanager.memory.jvm-overhead.max': '201326592b',
  };
  return startProcess({
    command: 'java',
    args: [
      ...javaOptions(flink, home, ['-Xmx1g', '-Xms1g', '-XX:MaxDirectMemorySize=268435456', '-XX:MaxMetaspaceSize=256m']),
      'org.apache.flink.runtime.taskexecutor.TaskManagerRunner',
      ...['--configDir', join(home, 'conf')],
      ...Object.entries(resources).flatMap(([key, value]) => ['-D', `${key}=${value}`]),
    ],
    logFile: join(home, 'log', `taskmanager-${index}.log`),
  });
}

function javaOptions(flink: FlinkDistribution, home: string, memory: readonly string[]): string[] {
  return [
    ...memory,
    '-XX:+UseG1GC',
    ...JAVA_MODULE_OPTIONS,
    `-Dlog4j.configurationFile=file:${join(home, 'conf', 'log4j.properties')}`,
    '-cp',
    flink.classPath,
  ];
}

function writeConfiguration(
  home: string,
  cluster: { readonly restPort: number; readonly rpcPort: number; readonly slotsPerTaskManager: number },
): void {
  mkdirSync(join(home, 'conf'), { recursive: true });
  mkdirSync(join(home, 'tmp'), { recursive: true });
  const options: Readonly<Record<string, string | number | boolean>> = {
    'jobmanager.rpc.address': '127.0.0.1',
    'jobmanager.rpc.port': cluster.rpcPort,
    'jobmanager.bind-host': '127.0.0.1',
    'taskmanager.bind-host': '127.0.0.1',
    'taskmanager.host': '127.0.0.1',
    'taskmanager.numberOfTaskSlots': cluster.slotsPerTaskManager,
    'rest.address': '127.0.0.1',
    'rest.bind-address': '127.0.0.1',
    'rest.port': cluster.restPort,
    'pipeline.object-reuse': true,
    'state.backend.type': 'hashmap',
    'io.tmp.dirs': join(home, 'tmp'),
    'web.tmpdir': join(home, 'tmp'),
    'parallelism.default': 1,
  };
  const lines = Object.entries(options).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(join(home, 'conf', 'config.yaml'), lines.join(''));
  writeFileSync(join(home, 'conf', 'log4j.properties'), LOGGING);
}

const LOGGING = `rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
`;
