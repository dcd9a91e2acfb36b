/** Routes about checkpoints and savepoints of jobs. Triggers are asynchronous: see async-operations.ts. */
import type { FastifyInstance } from 'fastify';
import type { Ports } from '../base/ports.ts';
import type { CheckpointDetails, CheckpointFigures, JobManagerGateway } from '../dispatcher/gateway.ts';
import type { SavepointFormat } from '../protocol/checkpoint.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import { badRequest, notFound } from './answers.ts';
import { AsyncOperations } from './async-operations.ts';
import { checkpointBody, checkpointConfigBody, checkpointsBody, checkpointSubtasksBody } from './checkpoint-bodies.ts';
import type { RestOptions } from './options.ts';
import * as schemas from './schemas.ts';

const TRIGGER_ID_SIZE_BYTES = 16;

/** Operations that clients poll for; one set for all paths at which a route answers. */
export interface CheckpointOperations {
  readonly savepoints: AsyncOperations;
  readonly checkpoints: AsyncOperations;
  readonly disposals: AsyncOperations;
}

export function checkpointOperations({ ports: { clock } }: RestOptions): CheckpointOperations {
  const [savepoints, disposals] = [new AsyncOperations(clock, 'failure-cause'), new AsyncOperations(clock, 'failure-cause')];
  return { savepoints, disposals, checkpoints: new AsyncOperations(clock, 'failureCause') };
}

/** Installs the routes below `/jobs/:jobid/checkpoints`, `…/savepoints`, `…/stop`, and `/savepoint-disposal`. */
export function installCheckpointRoutes(
  server: FastifyInstance, gateway: JobManagerGateway,
  { ports, operations }: { readonly ports: Ports; readonly operations: CheckpointOperations },
): void {
  const { savepoints, checkpoints, disposals } = operations;
  const triggerId = (wanted: string | null | undefined): string => (wanted ?? ports.random.hex(TRIGGER_ID_SIZE_BYTES)).toLowerCase();
  installReading(server, gateway);
  installCheckpointTrigger(server, gateway, checkpoints, triggerId);

  const key = (jobId: string, id: string): string => `${jobId}/${id.toLowerCase()}`;
  const savepointSchema = { params: schemas.JobParams, body: schemas.SavepointBody };
  server.post('/jobs/:jobid/savepoints', { schema: savepointSchema }, ({ params, body }, reply) => {
    const jobId = existing(gateway, params);
    const request = body as schemas.SavepointBody;
    const id = triggerId(request.triggerId);
    savepoints.start(key(jobId, id), async () => {
      const [targetDirectory, cancelJob] = [request['target-directory'] ?? null, request['cancel-job'] ?? false];
      const wanted = { targetDirectory, cancelJob, format: formatOf(request) };
      return { location: await gateway.triggerSavepoint(jobId, wanted) };
    });
    return reply.code(202).send({ 'request-id': id });
  });
  server.post('/jobs/:jobid/stop', { schema: { params: schemas.JobParams, body: schemas.StopBody } }, ({ params, body }, reply) => {
    const jobId = existing(gateway, params);
    const request = body as schemas.StopBody;
    const id = triggerId(request.triggerId);
    savepoints.start(key(jobId, id), async () => {
      const wanted = { targetDirectory: request.targetDirectory ?? null, drain: request.drain ?? false, format: formatOf(request) };
      return { location: await gateway.stopWithSavepoint(jobId, wanted) };
    });
    return reply.code(202).send({ 'request-id': id });
  });
  server.get('/jobs/:jobid/savepoints/:triggerid', { schema: { params: schemas.TriggerParams } }, ({ params }) => {
    const { jobid, triggerid } = params as schemas.TriggerParams;
    return savepoints.status(key(jobid.toLowerCase(), triggerid), triggerid);
  });

  server.post('/savepoint-disposal', { schema: { body: schemas.DisposalBody } }, ({ body }) => {
    const id = triggerId(null);
    disposals.start(id, async () => {
      await gateway.disposeSavepoint((body as schemas.DisposalBody)['savepoint-path']);
      return {};
    });
    return { 'request-id': id };
  });
  server.get('/savepoint-disposal/:triggerid', { schema: { params: schemas.DisposalParams } }, ({ params }) => {
    const { triggerid } = params as schemas.DisposalParams;
    return disposals.status(triggerid.toLowerCase(), triggerid);
  });
}

function installReading(server: FastifyInstance, gateway: JobManagerGateway): void {
  const details = (params: unknown): CheckpointDetails => gateway.checkpoints(existing(gateway, params));
  const ofJob = { schema: { params: schemas.JobParams } };
  server.get('/jobs/:jobid/checkpoints', ofJob, ({ params }) => checkpointsBody(details(params)));
  server.get('/jobs/:jobid/checkpoints/config', ofJob, ({ params }) => {
    const found = details(params);
    if (found.settings.cadence.intervalMs === null) throw notFound('Checkpointing is not enabled for this job.');
    return checkpointConfigBody(found);
  });
  server.get('/jobs/:jobid/checkpoints/details/:checkpointid', { schema: { params: schemas.CheckpointParams } }, ({ params }) => {
    return checkpointBody(figuresOf(details(params), params), true);
  });
  const ofVertex = { schema: { params: schemas.CheckpointVertexParams } };
  server.get('/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid', ofVertex, ({ params }) => {
    const figures = figuresOf(details(params), params);
    const { vertexid, checkpointid } = params as schemas.CheckpointVertexParams;
    const vertex = figures.vertices.find(({ vertexId }) => vertexId === vertexid.toLowerCase());
    if (!vertex) throw notFound(`There is no checkpoint statistics for task ${vertexid} of checkpoint ${checkpointid}.`);
    return checkpointSubtasksBody(figures, vertex);
  });
}

function installCheckpointTrigger(
  server: FastifyInstance, gateway: JobManagerGateway, checkpoints: AsyncOperations, triggerId: (wanted?: string | null) => string,
): void {
  const schema = { params: schemas.JobParams, body: schemas.CheckpointBody };
  server.post('/jobs/:jobid/checkpoints', { schema }, ({ params, body }, reply) => {
    const jobId = existing(gateway, params);
    const { checkpointType, triggerId: wanted } = body as schemas.CheckpointBody;
    if (checkpointType === 'INCREMENTAL') throw badRequest('Flink does not support triggering incremental checkpoint explicitly.');
    const id = triggerId(wanted);
    checkpoints.start(`${jobId}/${id}`, async () => ({ checkpointId: await gateway.triggerCheckpoint(jobId, checkpointType === 'FULL') }));
    return reply.code(202).send({ 'request-id': id });
  });
  server.get('/jobs/:jobid/checkpoints/:triggerid', { schema: { params: schemas.TriggerParams } }, ({ params }) => {
    const { jobid, triggerid } = params as schemas.TriggerParams;
    return checkpoints.status(`${jobid.toLowerCase()}/${triggerid.toLowerCase()}`, triggerid);
  });
}

/** The id of a job that is there. */
function existing(gateway: JobManagerGateway, params: unknown): JobId {
  const { jobid } = params as schemas.JobParams;
  try {
    return gateway.job(jobid.toLowerCase() as JobId).jobId;
  } catch (error) {
    throw error instanceof ClusterError && error.code === 'JOB_NOT_FOUND' ? notFound(`Job ${jobid} not found`) : error;
  }
}

function figuresOf({ statistics }: CheckpointDetails, params: unknown): CheckpointFigures {
  const { checkpointid } = params as schemas.CheckpointParams;
  const found = statistics.history.find(({ checkpointId }) => checkpointId === Number(checkpointid));
  if (!found) throw notFound(`Could not find checkpointing statistics for checkpoint ${checkpointid}.`);
  return found;
}

function formatOf({ formatType }: schemas.SavepointBody | schemas.StopBody): SavepointFormat {
  return formatType ?? 'CANONICAL';
}
