/** Routes about the cluster, the JobManager process and the TaskManagers. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { JobManagerGateway, TaskManagerDetails } from '../dispatcher/gateway.ts';
import type { ResourceId } from '../protocol/ids.ts';
import type { JsonObject } from '../protocol/json.ts';
import { notFound } from './answers.ts';
import type { RestOptions } from './options.ts';
import * as schemas from './schemas.ts';
import { taskManagerBody, taskManagerDetailsBody } from './task-manager-bodies.ts';

/** Installs `/config`, `/overview`, `/jobmanager/*`, `/taskmanagers/*`. */
export function installClusterRoutes(server: FastifyInstance, gateway: JobManagerGateway, options: RestOptions): void {
  server.get('/config', () => dashboardConfig(options));
  server.get('/overview', () => {
    const overview = gateway.overview();
    return {
      taskmanagers: overview.taskManagerCount,
      'slots-total': overview.slotsTotal,
      'slots-available': overview.slotsAvailable,
      'jobs-running': overview.jobsRunning,
      'jobs-finished': overview.jobsFinished,
      'jobs-cancelled': overview.jobsCancelled,
      'jobs-failed': overview.jobsFailed,
      'flink-version': options.version,
      'flink-commit': options.revision.commit,
    };
  });
  server.get('/taskmanagers', () => ({ taskmanagers: gateway.taskManagers().map(taskManagerBody) }));
  server.get('/taskmanagers/:taskmanagerid', { schema: { params: schemas.TaskManagerParams } }, ({ params }) =>
    taskManagerDetailsBody(findTaskManager(gateway, (params as schemas.TaskManagerParams).taskmanagerid)),
  );
  server.get('/jobmanager/config', () => Object.entries(options.shownConfiguration).map(([key, value]) => ({ key, value })));
  server.get('/jobmanager/logs', async () => ({ logs: await listLogs(options.logFile) }));
  server.get('/jobmanager/log', (_request, reply) => sendLog(reply, options.logFile));
  server.get('/jobmanager/stdout', (_request, reply) => sendLog(reply, options.logFile?.replace(/\.log$/, '.out') ?? null));
  server.get('/jobmanager/logs/:name', ({ params }, reply) => {
    const { name } = params as { name: string };
    // Only a bare name inside the log directory, whatever was encoded into it.
    const safe = options.logFile !== null && basename(name) === name && !name.startsWith('.') && !/[\\/\0]/.test(name);
    return sendLog(reply, safe && options.logFile !== null ? join(dirname(options.logFile), name) : null);
  });
}

function dashboardConfig(options: RestOptions): JsonObject {
  const now = new Date(options.ports.clock.nowMs());
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'long' }).formatToParts(now).find((part) => part.type === 'timeZoneName');
  return {
    'refresh-interval': options.refreshIntervalMs,
    'timezone-name': zone?.value ?? 'UTC',
    'timezone-offset': -now.getTimezoneOffset() * 60_000,
    'flink-version': options.version,
    'flink-revision': `${options.revision.commit} @ ${options.revision.date}`,
    features: {
      'web-submit': options.submitEnabled,
      'web-cancel': options.cancelEnabled,
      'web-rescale': options.rescaleEnabled,
      'web-history': false,
    },
  };
}

function findTaskManager(gateway: JobManagerGateway, id: string): TaskManagerDetails {
  const found = gateway.taskManager(id as ResourceId);
  if (!found) throw notFound(`Could not find TaskExecutor ${id}`);
  return found;
}

async function listLogs(logFile: string | null): Promise<JsonObject[]> {
  if (logFile === null) return [];
  const directory = dirname(logFile);
  const names = await readdir(directory).catch(() => []);
  const logs: JsonObject[] = [];
  for (const name of names) {
    const found = await stat(join(directory, name)).catch(() => null);
    if (found?.isFile()) logs.push({ name, size: found.size, mtime: Math.floor(found.mtimeMs) });
  }
  return logs;
}

async function sendLog(reply: FastifyReply, path: string | null): Promise<FastifyReply> {
  const found = path === null ? null : await stat(path).catch(() => null);
  if (path === null || !found?.isFile()) throw notFound('The file does not exist.');
  return reply.type('text/plain; charset=UTF-8').send(createReadStream(path));
}
