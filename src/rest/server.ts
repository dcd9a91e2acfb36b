/**
 * Flink's REST API on fastify. Every route answers at its bare path and below `/v1`. All knowledge of
 * jobs comes from the gateway; this room has no state but uploaded files.
 *
 * Limits: request bodies (`rest.server.max-content-length`), 30 s to receive a request, 60 s of idle connection.
 */
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from '../base/log.ts';
import { assert } from '../base/assert.ts';
import type { JobManagerGateway } from '../dispatcher/gateway.ts';
import { ClusterError } from '../protocol/errors.ts';
import { checkpointOperations, installCheckpointRoutes } from './checkpoint-routes.ts';
import { installErrorAnswers } from './answers.ts';
import { installClusterRoutes } from './cluster-routes.ts';
import { installJarRoutes } from './jar-routes.ts';
import { JarStore } from './jar-store.ts';
import { installJobRoutes } from './job-routes.ts';
import { installRescaleRoutes } from './rescale-routes.ts';
import type { RestOptions } from './options.ts';
import { rootPage } from './root-page.ts';
import { whileRoutesCompile } from './route-compilation.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;
const PATH_PARAMETER_LENGTH_MAX = 500;

/** The REST endpoint of one JobManager. */
export class RestServer {
  /** The port in use. */
  readonly port: number;
  /** `http://<advertised address>:<port>`. */
  readonly address: string;
  private readonly server: FastifyInstance;
  private readonly log: Logger;

  private constructor(server: FastifyInstance, place: { port: number; address: string }, log: Logger) {
    this.server = server;
    this.port = place.port;
    this.address = place.address;
    this.log = log;
  }

  /** Binds the first free candidate port. Throws PORT_IN_USE naming them all. */
  static async start(gateway: JobManagerGateway, options: RestOptions): Promise<RestServer> {
    const log = options.loggers.logger('org.apache.flink.runtime.dispatcher.DispatcherRestEndpoint');
    const jars = new JarStore(options.uploadDirectory, options.ports.random);
    if (options.submitEnabled) await jars.prepare(log);
    log.info('Starting rest endpoint.');
    const place = { address: '' };
    const server = await whileRoutesCompile(() => install(gateway, options, { log, place, jars }));
    const port = await bind(server, options);
    place.address = `http://${options.advertisedAddress}:${port}`;
    log.info(`Rest endpoint listening at ${options.advertisedAddress}:${port}`);
    return new RestServer(server, { port, address: place.address }, log);
  }

  /** Answers what is in flight, then closes all connections. */
  async close(): Promise<void> {
    this.log.info('Shutting down rest endpoint.');
    await this.server.close();
  }
}

/** Makes the server with all its routes, ready to listen. */
async function install(
  gateway: JobManagerGateway,
  options: RestOptions,
  context: { readonly log: Logger; readonly place: { readonly address: string }; readonly jars: JarStore },
): Promise<FastifyInstance> {
  const server = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: options.contentSizeBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX, ignoreTrailingSlash: true },
  });
  acceptEmptyJson(server);
  installErrorAnswers(server, context.log);
  server.addHook('onSend', async (_request, reply) => {
    reply.header('Access-Control-Allow-Origin', '*');
    const type = reply.getHeader('content-type');
    if (type === 'application/json; charset=utf-8') reply.header('content-type', 'application/json; charset=UTF-8');
  });
  const operations = checkpointOperations(options);
  const routes = async (scope: FastifyInstance): Promise<void> => {
    installClusterRoutes(scope, gateway, options);
    installJobRoutes(scope, gateway, options);
    installRescaleRoutes(scope, gateway);
    installCheckpointRoutes(scope, gateway, { ports: options.ports, operations });
    const { jars, place } = context;
    if (options.submitEnabled) await installJarRoutes(scope, gateway, { options, jars, address: () => place.address });
  };
  await server.register(routes);
  await server.register(routes, { prefix: '/v1' });
  server.get('/', (_request, reply) => reply.type('text/html; charset=UTF-8').send(rootPage(options.version)));
  await server.ready();
  return server;
}

/** Scripts post without a body and still name a content type: an empty body equals `{}`. */
function acceptEmptyJson(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {});
    else void parse(request, body as string, done);
  });
}

async function bind(server: FastifyInstance, options: RestOptions): Promise<number> {
  for (const port of options.portCandidates) {
    try {
      await server.listen({ host: options.bindAddress, port });
      const bound = server.server.address();
      assert(bound !== null && typeof bound === 'object', 'a listening TCP server has an address');
      return bound.port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw listenFault(`${options.bindAddress}:${port}`, error as Error);
    }
  }
  const ports = options.portCandidates.join(', ');
  throw new ClusterError(
    'PORT_IN_USE',
    `Could not start rest endpoint on ${options.bindAddress}: all ports in use (${ports}). Is another cluster running here? Stop it, or set rest.port or rest.bind-port.`,
  );
}

function listenFault(address: string, cause: Error): ClusterError {
  const advice = 'Set rest.bind-address to an address of this host, and rest.port to a port it may use.';
  return new ClusterError('CONFIG_INVALID', `Could not start rest endpoint on ${address}: ${cause.message}. ${advice}`, { cause });
}
