/** Routes about uploaded programs. They exist only with `web.submit.enable: true`. */
import multipart, { type MultipartFile } from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { JobManagerGateway, ProgramRequest } from '../dispatcher/gateway.ts';
import { restPlanOf } from '../graph/plan-json.ts';
import { parseJobId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { badRequest } from './answers.ts';
import { JarStore } from './jar-store.ts';
import type { RestOptions } from './options.ts';
import * as schemas from './schemas.ts';

/** Bound on one uploaded program. */
const PROGRAM_SIZE_BYTES_MAX = 1024 ** 3;
const programSchema = { schema: { params: schemas.JarParams, querystring: schemas.ProgramQuery, body: schemas.ProgramBody } };

/** Installs the routes below `/jars`; `address` is this server's base URL, known once it listens. */
export async function installJarRoutes(
  server: FastifyInstance,
  gateway: JobManagerGateway,
  context: { readonly options: RestOptions; readonly jars: JarStore; readonly address: () => string },
): Promise<void> {
  const { jars } = context;
  const log = context.options.loggers.logger('org.apache.flink.runtime.webmonitor.handlers.JarUploadHandler');
  await server.register(multipart, { limits: { files: 2, fields: 8, fieldSize: 64 * 1024, fileSize: PROGRAM_SIZE_BYTES_MAX } });

  server.get('/jars', async () => ({ address: context.address(), files: (await jars.list()).map(jarBody) }));
  server.post('/jars/upload', async (request) => {
    if (!request.isMultipart()) throw badRequest('Exactly 1 file must be sent, received 0.');
    const path = await receiveOne(request, jars);
    log.info(`Stored the uploaded program at ${path}.`);
    return { filename: path, status: 'success' };
  });
  server.delete('/jars/:jarid', { schema: { params: schemas.JarParams } }, async ({ params }) => {
    await jars.remove((params as schemas.JarParams).jarid);
    return {};
  });

  const plan = async (request: FastifyRequest): Promise<JsonObject> => {
    const built = await gateway.buildProgram(await programRequest(request, gateway, jars));
    return { plan: restPlanOf(built.jobGraph) };
  };
  server.get('/jars/:jarid/plan', { schema: { params: schemas.JarParams, querystring: schemas.ProgramQuery } }, plan);
  server.post('/jars/:jarid/plan', programSchema, plan);
  server.post('/jars/:jarid/run', programSchema, async (request) => ({
    jobid: await gateway.submitProgram(await programRequest(request, gateway, jars)),
  }));
  /** Drey's own: the plan by operators, as `flink info` prints it. */
  server.post('/jars/:jarid/execution-plan', programSchema, async (request) => {
    const built = await gateway.buildProgram(await programRequest(request, gateway, jars));
    return { 'execution-plan': built.executionPlan, 'plan-digest': built.jobGraph.planDigest };
  });
}

async function receiveOne(request: FastifyRequest, jars: JarStore): Promise<string> {
  let path: string | null = null;
  let count = 0;
  for await (const part of request.parts()) {
    if (part.type === 'field') {
      if (part.fieldname !== 'request') throw badRequest(`Received unknown attribute ${part.fieldname}.`);
      continue;
    }
    count++;
    if (count === 1) path = await jars.add((part as MultipartFile).filename, part.file);
    else part.file.resume();
  }
  if (path === null || count !== 1) throw badRequest(`Exactly 1 file must be sent, received ${count}.`);
  return path;
}

function jarBody(jar: { id: string; name: string; uploadedAtMs: number }): JsonObject {
  return { id: jar.id, name: jar.name, uploaded: jar.uploadedAtMs, entry: [{ name: 'default', description: null }] };
}

/** Body fields win over their deprecated twins in the query. */
async function programRequest(request: FastifyRequest, gateway: JobManagerGateway, jars: JarStore): Promise<ProgramRequest> {
  const body = (request.body ?? {}) as schemas.ProgramBody;
  const query = request.query as schemas.ProgramQuery;
  if (body.programArgs && body.programArgsList) {
    throw badRequest('Confusing request: programArgs and programArgsList are specified, please, use only programArgsList');
  }
  const parallelism = body.parallelism ?? (query.parallelism === undefined ? null : Number(query.parallelism));
  const words = body.programArgsList ?? splitWords(body.programArgs ?? query['program-args'] ?? null) ?? query.programArg?.split(',') ?? [];
  const artifactId = await gateway.putArtifact(await jars.read((request.params as schemas.JarParams).jarid));
  return {
    artifactId,
    programArgs: words,
    configuration: {
      ...body.flinkConfiguration, ...(parallelism === null ? {} : { 'parallelism.default': String(parallelism) }), ...restoreKeys(body),
    },
    jobId: body.jobId ? parseJobId(body.jobId) : null,
    expectedPlanDigest: body.planDigest ?? null,
  };
}

/** What the program starts from, as configuration. */
function restoreKeys(body: schemas.ProgramBody): Readonly<Record<string, string>> {
  const claimMode = body.claimMode ?? body.restoreMode;
  return {
    ...(body.savepointPath ? { 'execution.state-recovery.path': body.savepointPath } : {}),
    ...(body.allowNonRestoredState ? { 'execution.state-recovery.ignore-unclaimed-state': 'true' } : {}),
    ...(claimMode ? { 'execution.state-recovery.claim-mode': claimMode } : {}),
  };
}

/** Splits at blanks outside of single or double quotes, as Flink's JarHandlerUtils does. */
function splitWords(text: string | null): string[] | null {
  if (text === null || text.trim() === '') return null;
  const words = text.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
  return words.map((word) => (/^(["']).*\1$/.test(word) ? word.slice(1, -1) : word));
}
