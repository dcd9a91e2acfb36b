/** The process of `bin/flink`. Everything heavy is imported when an action needs it: start-up is what users feel. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLoggers, type LoggerSource } from '../base/log.ts';
import { systemPorts } from '../base/system-ports.ts';
import { runCommandLine, type ClientSettings } from '../client/cli-front-end.ts';
import type { Terminal } from '../client/terminal.ts';
import { ProcessLog } from '../storage/process-log.ts';
import { findConfDirectory, readRevision } from './surroundings.ts';

/** A command that dies before it can run an action. */
const EXIT_EARLY_DEATH = 31;
const EXIT_INTERRUPTED = 130;

async function loadSettings(dynamic: readonly string[]): Promise<ClientSettings> {
  const { flatConfiguration, readConfiguration } = await import('./surroundings.ts');
  const { options } = await import('../config/options.ts');
  const { showFinding } = await import('../config/finding.ts');
  const loaded = readConfiguration(findConfDirectory(process.env['FLINK_CONF_DIR']), dynamic);
  const { configuration } = loaded;
  return {
    restHost: configuration.get(options.restAddress) ?? configuration.get(options.jobManagerRpcAddress) ?? 'localhost',
    restPort: configuration.get(options.restPort),
    timeoutMs: configuration.get(options.clientTimeout),
    headers: headersFrom(process.env['FLINK_REST_CLIENT_HEADERS'] ?? ''),
    configuration: flatConfiguration(loaded),
    remarks: loaded.findings.filter(({ level, origin }) => level !== 'error' && origin.kind === 'dynamic').map(showFinding),
    commit: readRevision().commit,
    externals: configuration.get(options.jobExternals) ?? [],
    target: configuration.get(options.executionTarget),
    startLocalCluster: async (slots) => {
      const { startProcessCluster } = await import('./process-cluster.ts');
      const { rest, close } = await startProcessCluster({
        slots: Math.max(slots, configuration.get(options.taskManagerSlots)), configuration: flatConfiguration(loaded), restPorts: [0],
      });
      return { host: '127.0.0.1', port: rest.port, close };
    },
    develop: async (program) => (await import('./dev.ts')).develop(program),
  };
}

/** `Name:value`, one a line. */
function headersFrom(text: string): Record<string, string> {
  const pairs = text.split('\n').map((line): [string, string] => {
    const at = line.indexOf(':');
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}

function onInterrupt(callback: () => void): () => void {
  const handle = (): void => {
    process.once('SIGINT', () => process.exit(EXIT_INTERRUPTED)); // A second Ctrl-C means it.
    callback();
  };
  process.once('SIGINT', handle);
  process.once('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}

/** The client's log is written anew by each run, as Flink's. A command works without one, where nobody may write it. */
function openLog(file: string | undefined): LoggerSource {
  if (file === undefined) return silentLoggers;
  const confDirectory = findConfDirectory(process.env['FLINK_CONF_DIR']);
  try {
    rmSync(file, { force: true });
  } catch {
    return silentLoggers;
  }
  const settingsFile = confDirectory === null ? null : join(confDirectory, 'log4j-cli.properties');
  const log = new ProcessLog({ clock: systemPorts.clock, file, settingsFile, environment: process.env });
  process.once('exit', () => log.flush());
  return log;
}

const terminal: Terminal = {
  clock: systemPorts.clock,
  log: openLog(process.env['DREY_LOG_FILE']).logger('org.apache.flink.client.cli.CliFrontend'),
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  isInteractive: process.stderr.isTTY === true,
  workingDirectory: process.cwd(),
  temporaryDirectory: join(tmpdir(), `drey-client-${process.getuid?.() ?? 'user'}`),
  onInterrupt,
};

try {
  process.exitCode = await runCommandLine(process.argv.slice(2), loadSettings, terminal);
} catch (error) {
  process.stderr.write(
    `Fatal error while running command line interface.\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = EXIT_EARLY_DEATH;
}
