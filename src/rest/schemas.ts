/**
 * Schemas of what clients send, in one place: fastify validates by them and handlers get their types.
 * Names and spellings are those of Flink's REST API 1.20; unknown fields are ignored, as there.
 */
import { Type, type Static, type TSchema } from '@sinclair/typebox';

const HEX_32 = '^[0-9a-fA-F]{32}$';
const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]));

export const JobParams = Type.Object({ jobid: Type.String({ pattern: HEX_32 }) });
export type JobParams = Static<typeof JobParams>;

export const VertexParams = Type.Object({
  jobid: Type.String({ pattern: HEX_32 }),
  vertexid: Type.String({ pattern: HEX_32 }),
});
export type VertexParams = Static<typeof VertexParams>;

const optionalTriggerId = Type.Optional(Type.Union([Type.String({ pattern: HEX_32 }), Type.Null()]));
const optionalFlag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]));
const optionalFormat = Type.Optional(Type.Union([Type.Literal('CANONICAL'), Type.Literal('NATIVE'), Type.Null()]));

export const SavepointBody = Type.Object({
  'target-directory': optionalText, 'cancel-job': optionalFlag, formatType: optionalFormat, triggerId: optionalTriggerId,
});
export type SavepointBody = Static<typeof SavepointBody>;

export const StopBody = Type.Object({
  targetDirectory: optionalText, drain: optionalFlag, formatType: optionalFormat, triggerId: optionalTriggerId,
});
export type StopBody = Static<typeof StopBody>;

export const CheckpointBody = Type.Object({
  checkpointType: Type.Optional(
    Type.Union([Type.Literal('CONFIGURED'), Type.Literal('FULL'), Type.Literal('INCREMENTAL'), Type.Null()]),
  ),
  triggerId: optionalTriggerId,
});
export type CheckpointBody = Static<typeof CheckpointBody>;

export const DisposalBody = Type.Object({ 'savepoint-path': Type.String({ minLength: 1 }) });
export type DisposalBody = Static<typeof DisposalBody>;

export const DisposalParams = Type.Object({ triggerid: Type.String({ pattern: HEX_32 }) });
export type DisposalParams = Static<typeof DisposalParams>;

const bounds = Type.Object({ parallelism: Type.Object({ lowerBound: Type.Integer(), upperBound: Type.Integer() }) });

/** By vertex id. */
export const RequirementsBody = Type.Record(Type.String({ pattern: HEX_32 }), bounds, { additionalProperties: false });
export type RequirementsBody = Static<typeof RequirementsBody>;

export const TriggerParams = Type.Object({ jobid: Type.String({ pattern: HEX_32 }), triggerid: Type.String({ pattern: HEX_32 }) });
export type TriggerParams = Static<typeof TriggerParams>;

export const CheckpointParams = Type.Object({
  jobid: Type.String({ pattern: HEX_32 }), checkpointid: Type.String({ pattern: '^\\d{1,15}$' }),
});
export type CheckpointParams = Static<typeof CheckpointParams>;

export const CheckpointVertexParams = Type.Composite([CheckpointParams, Type.Object({ vertexid: Type.String({ pattern: HEX_32 }) })]);
export type CheckpointVertexParams = Static<typeof CheckpointVertexParams>;

export const SubtaskParams = Type.Composite([VertexParams, Type.Object({ subtaskindex: Type.String({ pattern: '^\\d{1,6}$' }) })]);
export type SubtaskParams = Static<typeof SubtaskParams>;

export const JarParams = Type.Object({ jarid: Type.String({ minLength: 1, maxLength: 300 }) });
export type JarParams = Static<typeof JarParams>;

export const TaskManagerParams = Type.Object({ taskmanagerid: Type.String({ minLength: 1, maxLength: 300 }) });
export type TaskManagerParams = Static<typeof TaskManagerParams>;

export const CancelQuery = Type.Object({
  mode: Type.Optional(Type.Union([Type.Literal('cancel'), Type.Literal('stop')])),
});
export type CancelQuery = Static<typeof CancelQuery>;

export const ExceptionsQuery = Type.Object({ maxExceptions: Type.Optional(Type.String({ pattern: '^\\d{1,6}$' })) });
export type ExceptionsQuery = Static<typeof ExceptionsQuery>;

const optionalClaimMode = Type.Optional(
  Type.Union([Type.Literal('CLAIM'), Type.Literal('NO_CLAIM'), Type.Literal('LEGACY'), Type.Null()]),
);

/** Body of `POST /jars/:jarid/run` and `/plan`. */
export const ProgramBody = Type.Object({
  entryClass: optionalText,
  programArgs: optionalText,
  programArgsList: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  parallelism: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 32768 }), Type.Null()])),
  jobId: Type.Optional(Type.Union([Type.String({ pattern: HEX_32 }), Type.Null()])),
  flinkConfiguration: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  savepointPath: optionalText,
  allowNonRestoredState: optionalFlag,
  claimMode: optionalClaimMode,
  /** Deprecated twin of `claimMode`. */
  restoreMode: optionalClaimMode,
  /** Drey's own: digest of the plan as the client built it. */
  planDigest: optionalText,
});
export type ProgramBody = Static<typeof ProgramBody>;

/** Deprecated twins of the body's fields; the body wins. */
export const ProgramQuery = Type.Object({
  'program-args': Type.Optional(Type.String()),
  programArg: Type.Optional(Type.String()),
  'entry-class': Type.Optional(Type.String()),
  parallelism: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,4}$' })),
});
export type ProgramQuery = Static<typeof ProgramQuery>;

/** Body of `POST /jobs/:jobid/coordinators/:operatorid`: a request to a collect sink. Unlike Flink: plain JSON, not a serialised object. */
export const CollectBody = Type.Object({
  from: Type.Integer({ minimum: 0 }),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 30_000 })),
});
export type CollectBody = Static<typeof CollectBody>;

export const CollectParams = Type.Object({
  jobid: Type.String({ pattern: HEX_32 }),
  operatorid: Type.String({ minLength: 1, maxLength: 100 }),
});
export type CollectParams = Static<typeof CollectParams>;

/** What part of a request a schema speaks of, as it is named in error texts. */
export const PART_NAMES: Readonly<Record<string, string>> = {
  params: 'path parameter',
  querystring: 'query parameter',
  body: 'field',
};

export type { TSchema };
