/**
 * The control plane's calls: which message each takes and answers. The messages are generated from
 * control.proto; this table is what gives `RpcPeer.call` and its handlers their types.
 */
import { drey } from '#control';
import type { Reader, Writer } from 'protobufjs/minimal.js';

const control = drey.control;

/** The frame around every message. */
export type Frame = Fields<drey.control.Frame>;
export const FRAME_KINDS = { notify: 0, request: 1, response: 2, fault: 3 } as const;
/** Frames of other versions close the connection. */
export const FRAME_VERSION = 1;

/** Fields of a message, without what protobufjs keeps of unknown fields. */
type Fields<M> = Omit<M, '$unknowns'>;

interface MessageType<M> {
  encode(message: object, writer?: Writer): Writer;
  decode(reader: Reader | Uint8Array, length?: number): M;
}

/** Both directions of one message type. `decode` throws on anything that is not such a message. */
export interface MessageCodec<M> {
  encode(message: Fields<M>): Uint8Array;
  decode(bytes: Uint8Array): Fields<M>;
}

function codec<M>(type: MessageType<M>): MessageCodec<M> {
  return { encode: (message) => type.encode(message).finish(), decode: (bytes) => type.decode(bytes) };
}

export const frameCodec = codec<drey.control.Frame>(control.Frame);

const ack = codec<drey.control.Ack>(control.Ack);

/** Every method, by name. Notifications use `request` only. */
export const METHODS = {
  // TaskManager to JobManager
  registerTaskManager: {
    request: codec<drey.control.RegisterTaskManager>(control.RegisterTaskManager),
    response: codec<drey.control.TaskManagerRegistered>(control.TaskManagerRegistered),
  },
  taskStateChanged: { request: codec<drey.control.TaskStateChanged>(control.TaskStateChanged), response: ack },
  fetchArtifact: {
    request: codec<drey.control.FetchArtifact>(control.FetchArtifact),
    response: codec<drey.control.ArtifactChunk>(control.ArtifactChunk),
  },
  acknowledgeCheckpoint: { request: codec<drey.control.AcknowledgeCheckpoint>(control.AcknowledgeCheckpoint), response: ack },
  declineCheckpoint: { request: codec<drey.control.DeclineCheckpoint>(control.DeclineCheckpoint), response: ack },
  // JobManager to TaskManager
  allocateSlot: { request: codec<drey.control.AllocateSlot>(control.AllocateSlot), response: ack },
  freeSlot: { request: codec<drey.control.FreeSlot>(control.FreeSlot), response: ack },
  deployTasks: { request: codec<drey.control.DeployTasks>(control.DeployTasks), response: ack },
  cancelTask: { request: codec<drey.control.CancelTask>(control.CancelTask), response: ack },
  releaseJob: { request: codec<drey.control.ReleaseJob>(control.ReleaseJob), response: ack },
  triggerCheckpoint: { request: codec<drey.control.TriggerCheckpoint>(control.TriggerCheckpoint), response: ack },
  notifyCheckpointComplete: { request: codec<drey.control.NotifyCheckpointComplete>(control.NotifyCheckpointComplete), response: ack },
  notifyCheckpointAborted: { request: codec<drey.control.NotifyCheckpointAborted>(control.NotifyCheckpointAborted), response: ack },
  // Both directions
  heartbeat: { request: codec<drey.control.Heartbeat>(control.Heartbeat), response: ack },
  operatorEvent: { request: codec<drey.control.OperatorEvent>(control.OperatorEvent), response: ack },
  disconnect: { request: codec<drey.control.Disconnect>(control.Disconnect), response: ack },
} as const;

/** Name of a call. */
export type Method = keyof typeof METHODS;
/** What a call takes. */
export type RequestOf<M extends Method> = ReturnType<(typeof METHODS)[M]['request']['decode']>;
/** What a call answers. */
export type ResponseOf<M extends Method> = ReturnType<(typeof METHODS)[M]['response']['decode']>;

/** Whether `name` is a method of this version. */
export function isMethod(name: string): name is Method {
  return Object.hasOwn(METHODS, name);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Plain data as the `*_json` fields carry it. */
export function jsonBytes(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The inverse of `jsonBytes`. `T` is trusted: both ends are processes of one cluster at one version. Throws on text that is not JSON. */
export function fromJsonBytes<T>(bytes: Uint8Array): T {
  return JSON.parse(decoder.decode(bytes)) as T;
}
