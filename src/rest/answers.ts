/**
 * Error answers: the body is always `{"errors": [text, …]}`. First lines imitate Flink's, since clients
 * match on them; codes and statuses come from the one table in protocol/errors.ts.
 */
import { Value } from '@sinclair/typebox/value';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from '../base/log.ts';
import { ClusterError, ERROR_KINDS, type ErrorInfo } from '../protocol/errors.ts';
import { PART_NAMES, type TSchema } from './schemas.ts';

/** A fault of a request, with the status and exact text of Flink's answer. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

const HANDLER_EXCEPTION = 'org.apache.flink.runtime.rest.handler.RestHandlerException';
const NOT_FOUND_EXCEPTION = 'org.apache.flink.runtime.rest.NotFoundException';
const RETRY_AFTER_SECONDS = 1;

/** 400 with Flink's class name before the text. */
export function badRequest(text: string): RequestError {
  return new RequestError(400, `${HANDLER_EXCEPTION}: ${text}`);
}

/** 404 with Flink's class name before the text. */
export function notFound(text: string): RequestError {
  return new RequestError(404, `${NOT_FOUND_EXCEPTION}: ${text}`);
}

/** An error with its causes as a Java reader expects them: class, message, stack, `Caused by:`. */
export function stackTrace(error: ErrorInfo): string {
  const head = `${error.className}: ${error.message}`;
  const frames = error.stack.split('\n').filter((line) => /^\s+at /.test(line));
  const own = [head, ...frames].join('\n');
  return error.cause ? `${own}\nCaused by: ${stackTrace(error.cause)}` : own;
}

/** Installs validation and error answers. Schemas are interpreted: this process compiles no code from strings. */
export function installErrorAnswers(server: FastifyInstance, log: Logger): void {
  server.setValidatorCompiler(({ schema, httpPart }) => (data) => {
    const typed = schema as TSchema;
    const candidate: unknown = httpPart === 'body' ? (data ?? {}) : data;
    const problem = Value.Errors(typed, candidate).First();
    if (!problem) return { value: candidate };
    const where = `${PART_NAMES[httpPart ?? ''] ?? 'request'} (${problem.path.slice(1).replaceAll('/', '.') || 'whole'})`;
    const value = JSON.stringify(problem.value);
    const text =
      httpPart === 'body'
        ? `Request did not match expected format: ${where}: ${problem.message}.`
        : `Bad request, could not parse parameters: Cannot resolve ${where} from value ${value}: ${problem.message}.`;
    return { error: badRequest(text) };
  });
  server.setSerializerCompiler(() => (body) => JSON.stringify(body));
  server.setNotFoundHandler((request, reply) => answer(reply, 404, [`Not found: ${request.url}`]));
  server.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof RequestError) return answer(reply, error.status, [error.message]);
    if (error instanceof ClusterError) return answerClusterError(reply, error);
    if (error.statusCode === 413) {
      return answer(reply, 413, [`${error.message} Try to raise [rest.server.max-content-length]`]);
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return answer(reply, error.statusCode, [`${HANDLER_EXCEPTION}: ${error.message}`]);
    }
    log.error(`Unhandled exception at ${request.method} ${request.url}.`, error);
    return answer(
      reply,
      500,
      ['Internal server error.', `<Exception on server side:\n${error.stack ?? error.message}\nEnd of exception on server side>`],
    );
  });
}

function answerClusterError(reply: FastifyReply, error: ClusterError): FastifyReply {
  const status = ERROR_KINDS[error.code].httpStatus;
  if (status === 503) reply.header('Retry-After', String(RETRY_AFTER_SECONDS));
  const texts = [`${error.code}: ${error.message}`];
  for (let cause = error.cause; cause instanceof Error && texts.length < 8; cause = cause.cause) {
    const isNews = !texts.some((text) => text.includes((cause as Error).message));
    if (isNews) texts.push(`Caused by: ${cause.name}: ${cause.message}`);
  }
  return answer(reply, status, texts);
}

function answer(reply: FastifyReply, status: number, errors: readonly string[]): FastifyReply {
  return reply.code(status).type('application/json; charset=UTF-8').send({ errors });
}
