/**
 * The bridge to any validator that implements Standard Schema. Values are validated where they are
 * encoded and travel as JSON text, so a schema must describe what JSON can hold.
 *
 * Source: https://standardschema.dev, version 1.
 */
import { ClusterError } from '../protocol/errors.ts';
import { jsonCodec, jsonMismatch } from './json-kind.ts';
import { codecKind, type Kind } from './kind.ts';

/** The part of Standard Schema v1 that is used. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

type StandardResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly StandardPathPart[] | undefined }[] };
type StandardPathPart = PropertyKey | { readonly key: PropertyKey };

/** A kind that validates with `schema`. Throws PROGRAM_INVALID when its validation is asynchronous. */
export function standardKind(schema: StandardSchema<unknown>): Kind {
  const { vendor, version } = schema['~standard'];
  const described = { schema: { type: 'standard', vendor, version }, name: `standard(${vendor})`, immutable: false };
  return codecKind(described, () => jsonCodec, (value, path) => issueOf(schema, value, path) ?? jsonMismatch(value, path));
}

function issueOf(schema: StandardSchema<unknown>, value: unknown, path: string): string | null {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) {
    const { vendor } = schema['~standard'];
    throw new ClusterError('PROGRAM_INVALID', `t.standard: the ${vendor} schema validates asynchronously; records need a synchronous one`);
  }
  const issue = result.issues?.[0];
  return issue ? `${path}${(issue.path ?? []).map(pathPart).join('')}: ${issue.message}` : null;
}

function pathPart(part: StandardPathPart): string {
  const key = typeof part === 'object' ? part.key : part;
  return typeof key === 'number' ? `[${key}]` : `.${String(key)}`;
}
