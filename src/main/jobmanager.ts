/** The JobManager process: Dispatcher, ResourceManager, JobMasters and the REST endpoint. */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemPorts } from '../base/system-ports.ts';
import type { Configuration } from '../config/configuration.ts';
import { options } from '../config/options.ts';
import { eachPort } from '../config/value-types.ts';
import { JobManager } from '../dispatcher/job-manager.ts';
import { memoryStores, standaloneElection } from '../ha/standalone.ts';
import { coordinatorMaker } from '../jobmaster/coordinators.ts';
import { customSources } from '../jobmaster/custom-sources.ts';
import { EnumeratorWorkers } from '../jobmaster/enumerator-worker.ts';
import type { CoordinatorMaker } from '../jobmaster/operator-coordinator.ts';
import { ProgramWorkers } from '../jobmaster/program-worker.ts';
import { DREY_VERSION } from '../protocol/version.ts';
import { RestServer } from '../rest/server.ts';
import type { RestOptions } from '../rest/options.ts';
import { wsTransport } from '../rpc/ws-transport.ts';
import { ArtifactCache } from '../storage/artifact-cache.ts';
import { localFileSystems } from '../storage/local-files.ts';
import { flatTexts, heartbeatOptions, makeDirectory, runDaemon, temporaryDirectory, type Daemon } from './daemon.ts';
import { readRevision } from './surroundings.ts';

const NAMES = {
  component: 'StandaloneSessionClusterEntrypoint',
  ending: 'cluster entrypoint process StandaloneSessionClusterEntrypoint',
  logger: 'org.apache.flink.runtime.entrypoint.ClusterEntrypoint',
};
const FILES = localFileSystems(systemPorts.random);
/** How long a user's build function may take: less than `client.timeout`, so that the client hears the reason. */
const BUILD_TIMEOUT_MS = 30_000;

await runDaemon(NAMES, start);

async function start(daemon: Daemon): Promise<() => Promise<void>> {
  const { configuration, log } = daemon;
  const logger = log.logger(NAMES.logger);
  const ports = systemPorts;
  logger.info('Starting StandaloneSessionClusterEntrypoint.');
  logger.info('Install default filesystem.');
  logger.info('Install security context.');
  logger.info('Initializing cluster services.');
  const workingDirectory = join(
    configuration.get(options.processWorkingDirectory) ?? temporaryDirectory(configuration, tmpdir()), `jm_${ports.random.hex(16)}`,
  );
  logger.info(`Using working directory: ${workingDirectory}.`);
  makeDirectory(workingDirectory, 'io.tmp.dirs');
  const advertisedHost = configuration.get(options.jobManagerRpcAddress);
  const blobDirectory = configuration.get(options.blobStorageDirectory) ?? join(workingDirectory, 'blobStorage');
  const jobManager = await JobManager.start({
    ports,
    loggers: log,
    transport: wsTransport,
    election: standaloneElection(ports.random),
    stores: memoryStores(),
    bindAddress: {
      host: configuration.get(options.jobManagerBindHost),
      port: configuration.get(options.jobManagerRpcBindPort) ?? configuration.get(options.jobManagerRpcPort),
    },
    advertisedHost,
    heartbeat: heartbeatOptions(configuration),
    callTimeoutMs: configuration.get(options.rpcAskTimeout),
    evenlySpreadOut: configuration.family('cluster.evenly-spread-out-').get('slots') === 'true',
    archive: {
      expirationMs: configuration.get(options.jobStoreExpirationTime),
      sizeBytesMax: configuration.get(options.jobStoreCacheSize),
      jobsMax: configuration.get(options.jobStoreMaxCapacity),
    },
    blobDirectory,
    programWorkers: new ProgramWorkers(ports.clock, BUILD_TIMEOUT_MS),
    makeCoordinator: coordinators(blobDirectory),
    files: FILES,
    configuration: flatTexts(configuration),
  });
  const restStart = RestServer.start(jobManager, restOptions(daemon, { advertisedHost, workingDirectory }));
  const rest = await restStart.catch(async (error: unknown) => {
    await jobManager.close();
    throw error;
  });
  const endpointLog = log.logger('org.apache.flink.runtime.dispatcher.DispatcherRestEndpoint');
  endpointLog.info(`${rest.address} was granted leadership with leaderSessionID=00000000-0000-0000-0000-000000000000`);
  endpointLog.info(`Web frontend listening at ${rest.address}.`);
  daemon.ready();
  return async () => {
    logger.info(
      `Shutting ${NAMES.component} down with application status UNKNOWN. Diagnostics Cluster entrypoint has been closed externally..`,
    );
    await rest.close();
    endpointLog.info(`${rest.address} lost leadership`);
    endpointLog.info('Shut down complete.');
    await jobManager.close();
    await rm(workingDirectory, { recursive: true, force: true });
  };
}

function coordinators(blobDirectory: string): CoordinatorMaker {
  const artifacts = new ArtifactCache(join(blobDirectory, 'artifacts'));
  return coordinatorMaker({
    ports: systemPorts,
    files: FILES,
    custom: customSources({
      workers: new EnumeratorWorkers(systemPorts.clock),
      artifactPath: (artifactId) => artifacts.find(artifactId),
      registeredProgram: () => null,
    }),
  });
}

function restOptions(daemon: Daemon, place: { readonly advertisedHost: string; readonly workingDirectory: string }): RestOptions {
  const { configuration, log, logFile } = daemon;
  const spans = configuration.get(options.restBindPort);
  return {
    ports: systemPorts,
    loggers: log,
    bindAddress: configuration.get(options.restBindAddress) ?? 'localhost',
    portCandidates: spans === undefined ? [configuration.get(options.restPort)] : [...eachPort(spans)],
    advertisedAddress: configuration.get(options.restAddress) ?? place.advertisedHost,
    uploadDirectory: configuration.get(options.webUploadDir) ?? join(place.workingDirectory, 'web'),
    submitEnabled: configuration.get(options.webSubmitEnable),
    cancelEnabled: configuration.get(options.webCancelEnable),
    rescaleEnabled: configuration.get(options.webRescaleEnable),
    refreshIntervalMs: configuration.get(options.webRefreshInterval),
    contentSizeBytesMax: configuration.get(options.restMaxContentLength),
    logFile,
    shownConfiguration: shownTexts(configuration),
    version: DREY_VERSION,
    revision: readRevision(),
  };
}

function shownTexts(configuration: Configuration): Record<string, string> {
  return Object.fromEntries(configuration.shown().map(({ key, text }) => [key, text]));
}
