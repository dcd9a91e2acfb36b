/** Routes about jobs. */
import type { FastifyInstance } from 'fastify';
import type { JobDetails, JobManagerGateway, VertexDetails } from '../dispatcher/gateway.ts';
import { restPlanOf } from '../graph/plan-json.ts';
import { ClusterError } from '../protocol/errors.ts';
import { parseJobId, type JobId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { RequestError, notFound, stackTrace } from './answers.ts';
import * as bodies from './job-bodies.ts';
import type { RestOptions } from './options.ts';
import * as schemas from './schemas.ts';

/** Failures shown when `maxExceptions` is not given. */
const EXCEPTIONS_DEFAULT = 20;

/** Installs the routes below `/jobs`. */
export function installJobRoutes(server: FastifyInstance, gateway: JobManagerGateway, options: RestOptions): void {
  const nowMs = (): number => options.ports.clock.nowMs();
  const job = (params: unknown): JobDetails => findJob(gateway, (params as schemas.JobParams).jobid);
  const vertex = (params: unknown): VertexDetails => findVertex(job(params), (params as schemas.VertexParams).vertexid);
  const ofJob = { schema: { params: schemas.JobParams } };
  const ofVertex = { schema: { params: schemas.VertexParams } };

  server.get('/jobs', () => ({ jobs: gateway.jobs().map((each) => ({ id: each.jobId, status: each.status })) }));
  server.get('/jobs/overview', () => ({ jobs: gateway.jobs().map(bodies.jobOverviewBody) }));
  server.get('/jobs/:jobid', ofJob, ({ params }) => bodies.jobDetailsBody(job(params), nowMs()));
  server.get('/jobs/:jobid/status', ofJob, ({ params }) => ({ status: job(params).status }));
  server.get('/jobs/:jobid/plan', ofJob, ({ params }) => ({ plan: restPlanOf(job(params).jobGraph) }));
  server.get('/jobs/:jobid/config', ofJob, ({ params }) => bodies.jobConfigBody(job(params)));
  server.get('/jobs/:jobid/accumulators', ofJob, ({ params }) => ({
    'job-accumulators': [],
    'user-task-accumulators': bodies.accumulatorList(job(params).accumulators),
    'serialized-user-task-accumulators': {},
  }));
  const exceptionsSchema = { params: schemas.JobParams, querystring: schemas.ExceptionsQuery };
  server.get('/jobs/:jobid/exceptions', { schema: exceptionsSchema }, ({ params, query }) => {
    const { maxExceptions } = query as schemas.ExceptionsQuery;
    const countMax = maxExceptions === undefined ? EXCEPTIONS_DEFAULT : Number(maxExceptions);
    return bodies.exceptionsBody(job(params), countMax);
  });
  server.get('/jobs/:jobid/execution-result', ofJob, ({ params }) => executionResult(gateway, jobIdOf(params)));

  server.get('/jobs/:jobid/vertices/:vertexid', ofVertex, ({ params }) => bodies.vertexBody(vertex(params), nowMs()));
  server.get('/jobs/:jobid/vertices/:vertexid/subtasktimes', ofVertex, ({ params }) => bodies.subtaskTimesBody(vertex(params), nowMs()));
  server.get(
    '/jobs/:jobid/vertices/:vertexid/taskmanagers', ofVertex, ({ params }) => bodies.vertexTaskManagersBody(vertex(params), nowMs()),
  );
  server.get('/jobs/:jobid/vertices/:vertexid/watermarks', ofVertex, ({ params }) => bodies.watermarksBody(vertex(params)));
  server.get('/jobs/:jobid/vertices/:vertexid/accumulators', ofVertex, ({ params }) => {
    const found = vertex(params);
    return { id: found.id, 'user-accumulators': found.subtasks.flatMap((subtask) => bodies.accumulatorList(subtask.accumulators)) };
  });
  server.get('/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex', { schema: { params: schemas.SubtaskParams } }, ({ params }) => {
    const index = Number((params as schemas.SubtaskParams).subtaskindex);
    const subtask = vertex(params).subtasks[index];
    if (!subtask) throw notFound(`Invalid subtask index for vertex ${(params as schemas.VertexParams).vertexid}: ${index}`);
    return bodies.subtaskBody(subtask, nowMs());
  });

  const cancelSchema = { params: schemas.JobParams, querystring: schemas.CancelQuery };
  server.patch('/jobs/:jobid', { schema: cancelSchema }, async ({ params, query }, reply) => {
    if (!options.cancelEnabled) throw new RequestError(403, 'Cancelling jobs through REST is switched off (web.cancel.enable: false).');
    const { jobid } = params as schemas.JobParams;
    if ((query as schemas.CancelQuery).mode === 'stop') {
      throw new RequestError(308, `The termination mode "stop" has been removed. For a graceful shutdown use jobs/${jobid}/stop.`);
    }
    await cancel(gateway, jobIdOf(params));
    return reply.code(202).send({});
  });
  server.post('/jobs', () => {
    throw new RequestError(
      400,
      'Serialized job graphs of Java clients are not accepted. Upload the bundled program (POST /jars/upload) and run it (POST /jars/:jarid/run).',
    );
  });
  const collectSchema = { params: schemas.CollectParams, body: schemas.CollectBody };
  server.post('/jobs/:jobid/coordinators/:operatorid', { schema: collectSchema }, async ({ params, body }) => {
    const { from, waitMs } = body as schemas.CollectBody;
    const { operatorid } = params as schemas.CollectParams;
    const collected = await gateway.collected(jobIdOf(params), { collectId: operatorid, from, waitMs: waitMs ?? 0 });
    return { serializedCoordinationResult: { ...collected } };
  });
}

function jobIdOf(params: unknown): JobId {
  const { jobid } = params as schemas.JobParams;
  const id = parseJobId(jobid);
  if (!id) throw notFound(`Job ${jobid} not found`);
  return id;
}

function findJob(gateway: JobManagerGateway, jobid: string): JobDetails {
  try {
    return gateway.job(jobIdOf({ jobid }));
  } catch (error) {
    throw jobNotFound(error, jobid);
  }
}

function findVertex(job: JobDetails, vertexId: string): VertexDetails {
  const found = job.vertices.find((vertex) => vertex.id === vertexId.toLowerCase());
  if (!found) throw notFound(`JobVertex ${vertexId} not found`);
  return found;
}

function jobNotFound(error: unknown, jobId: string): unknown {
  return error instanceof ClusterError && error.code === 'JOB_NOT_FOUND' ? notFound(`Job ${jobId} not found`) : error;
}

async function cancel(gateway: JobManagerGateway, jobId: JobId): Promise<void> {
  try {
    await gateway.cancelJob(jobId);
  } catch (error) {
    if (error instanceof ClusterError && error.code === 'JOB_NOT_FOUND') {
      throw new RequestError(
        404, `org.apache.flink.runtime.rest.handler.RestHandlerException: Job could not be found.\nCaused by: ${error.message}`,
      );
    }
    if (error instanceof ClusterError && error.code === 'JOB_ALREADY_TERMINATED') {
      const { status } = findJob(gateway, jobId);
      throw new RequestError(409, `Job cancellation failed because the job has already reached another terminal state (${status}).`);
    }
    throw error;
  }
}

/** Answered at once; clients poll. A failed job is COMPLETED with a failure cause. */
async function executionResult(gateway: JobManagerGateway, jobId: JobId): Promise<JsonObject> {
  const result = await gateway.jobResult(jobId, 0).catch((error: unknown) => {
    throw jobNotFound(error, jobId);
  });
  if (!result) return { status: { id: 'IN_PROGRESS' } };
  const applicationStatus = { FINISHED: 'SUCCEEDED', CANCELED: 'CANCELED', FAILED: 'FAILED' }[result.status];
  const accumulators = Object.entries(result.accumulators).map(([name, value]) => [name, bodies.accumulatorText(value)]);
  const execution: JsonObject = {
    id: result.jobId,
    'application-status': applicationStatus,
    'accumulator-results': Object.fromEntries(accumulators),
    'net-runtime': result.endTimeMs - result.startTimeMs,
  };
  if (!result.error) return { status: { id: 'COMPLETED' }, 'job-execution-result': execution };
  const cause = { class: result.error.className, 'stack-trace': stackTrace(result.error), 'serialized-throwable': '' };
  return { status: { id: 'COMPLETED' }, 'job-execution-result': { ...execution, 'failure-cause': cause } };
}
