/**
 * How a failed command reads: Flink's block with the chain of causes for what went wrong outside, and the
 * bare message with a hint for a command line that was not right. Scripts look for these lines.
 */
import { ClusterError } from '../protocol/errors.ts';
import { RestClientError } from './rest-cluster-client.ts';

/** The command line itself was wrong. Printed to standard output, as Flink does. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A failure with the sentence that Flink's client puts first. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** Flink's exception class for this kind of failure. */
  readonly className: string;

  constructor(className: string, message: string, cause: unknown) {
    super(message, { cause });
    this.className = className;
  }
}

/** Causes shown at most; a cyclic chain ends there. */
const CAUSES_MAX = 8;

/** The text after a usage error. */
export function usageText(message: string): string {
  return `${message}\n\nUse the help option (-h or --help) to get help on the command.\n`;
}

/** Flink's failure block. */
export function failureText(thrown: unknown): string {
  const lines: string[] = [];
  for (let error = thrown, depth = 0; error !== undefined && depth < CAUSES_MAX; depth++) {
    lines.push(`${depth === 0 ? '' : 'Caused by: '}${describe(error)}`);
    error = error instanceof Error ? error.cause : undefined;
  }
  return `\n${'-'.repeat(60)}\n The program finished with the following exception:\n\n${lines.join('\n')}\n`;
}

function describe(error: unknown): string {
  if (error instanceof CommandError) return `${error.className}: ${error.message}`;
  if (error instanceof RestClientError) {
    return error.status === 0
      ? `java.net.ConnectException: ${error.texts.join('\n')}`
      : `org.apache.flink.runtime.rest.util.RestClientException: [${error.texts.join('\n')}]`;
  }
  if (error instanceof ClusterError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
