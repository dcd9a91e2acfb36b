/** A whole cluster in this process, REST included: what `flink dev` and `flink run -t local` run jobs on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLoggers } from '../base/log.ts';
import { systemPorts } from '../base/system-ports.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { RestServer } from '../rest/server.ts';
import { MiniCluster } from '../testing/mini-cluster.ts';
import { readRevision } from './surroundings.ts';

const CONTENT_SIZE_BYTES_MAX = 100 * 1024 * 1024;

interface ProcessClusterOptions {
  /** Each is a worker thread, as in production. */
  readonly slots: number;
  /** Flat, as in the configuration file. */
  readonly configuration: Readonly<Record<string, string>>;
  /** The first that is free is taken; 0 is any. */
  readonly restPorts: readonly number[];
}

/** Starts one. What jobs print goes to the standard streams of this process. */
export async function startProcessCluster(
  { slots, configuration, restPorts }: ProcessClusterOptions,
): Promise<{ readonly cluster: MiniCluster; readonly rest: RestServer; readonly close: () => Promise<void> }> {
  const uploadDirectory = await mkdtemp(join(tmpdir(), 'drey-process-cluster-'));
  const cluster = await MiniCluster.start({ slots, threads: true, configuration });
  const rest = await RestServer.start(cluster.gateway, {
    ports: systemPorts,
    loggers: silentLoggers,
    bindAddress: 'localhost',
    portCandidates: restPorts,
    advertisedAddress: 'localhost',
    uploadDirectory,
    submitEnabled: true,
    cancelEnabled: true,
    rescaleEnabled: true,
    refreshIntervalMs: 3000,
    contentSizeBytesMax: CONTENT_SIZE_BYTES_MAX,
    logFile: null,
    shownConfiguration: cluster.gateway.configuration,
    version: DREY_VERSION,
    revision: readRevision(),
  });
  const close = async (): Promise<void> => {
    await rest.close();
    await cluster.close();
    await rm(uploadDirectory, { recursive: true, force: true });
  };
  return { cluster, rest, close };
}
