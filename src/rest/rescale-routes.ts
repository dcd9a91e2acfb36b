/** How many subtasks the vertices of a job may have: shown, and changed while it runs. */
import type { FastifyInstance } from 'fastify';
import type { JobManagerGateway } from '../dispatcher/gateway.ts';
import type { ResourceRequirements } from '../graph/job-graph.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { isGloballyTerminal } from '../protocol/states.ts';
import { RequestError, notFound } from './answers.ts';
import * as schemas from './schemas.ts';

const PATH = '/jobs/:jobid/resource-requirements';

/** Installs the routes at `/jobs/:jobid/resource-requirements`. */
export function installRescaleRoutes(server: FastifyInstance, gateway: JobManagerGateway): void {
  server.get(PATH, { schema: { params: schemas.JobParams } }, ({ params }) => {
    const { jobid } = params as schemas.JobParams;
    return finding(jobid, () => requirementsBody(gateway.resourceRequirements(jobid.toLowerCase() as JobId)));
  });
  server.put(PATH, { schema: { params: schemas.JobParams, body: schemas.RequirementsBody } }, async ({ params, body }) => {
    await rescale(gateway, (params as schemas.JobParams).jobid, body as schemas.RequirementsBody);
    return {};
  });
}

function requirementsBody(requirements: ResourceRequirements): JsonObject {
  const bounds = Object.entries(requirements).map(([id, { lowerBound, upperBound }]) => [id, { parallelism: { lowerBound, upperBound } }]);
  return Object.fromEntries(bounds) as JsonObject;
}

async function rescale(gateway: JobManagerGateway, jobid: string, body: schemas.RequirementsBody): Promise<void> {
  const bounds = Object.entries(body).map(([id, { parallelism }]) => [id.toLowerCase(), parallelism]);
  if (bounds.length === 0) throw new RequestError(400, 'Request body does not specify resource requirements.');
  const jobId = jobid.toLowerCase() as JobId;
  const { status } = finding(jobid, () => gateway.job(jobId));
  if (isGloballyTerminal(status)) throw new RequestError(409, `Job ${jobId} cannot be rescaled: it is ${status}.`);
  await gateway.updateResourceRequirements(jobId, Object.fromEntries(bounds) as ResourceRequirements);
}

function finding<T>(jobid: string, find: () => T): T {
  try {
    return find();
  } catch (error) {
    throw error instanceof ClusterError && error.code === 'JOB_NOT_FOUND' ? notFound(`Job ${jobid} not found`) : error;
  }
}
