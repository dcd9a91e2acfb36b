/** Acknowledgements of checkpoints: what is well-formed survives, what is not is named. */
import test from 'ava';
import fc from 'fast-check';
import { parseCheckpointAck, type CheckpointOptions, type TaskCheckpointAck } from '../../src/protocol/checkpoint.ts';
import { METHODS, fromJsonBytes, jsonBytes } from '../../src/protocol/control.ts';
import type { OperatorId } from '../../src/protocol/ids.ts';
import type { JsonObject, JsonValue } from '../../src/protocol/json.ts';

const SHA_256 = 'ab'.repeat(32);

const ACK: TaskCheckpointAck = {
  checkpointId: 7,
  operators: [{
    operatorId: '0f'.repeat(16) as OperatorId,
    subtaskIndex: 1,
    keyed: [{
      firstKeyGroup: 0, lastKeyGroup: 63, meta: { states: ['count'] },
      data: { kind: 'file', path: '/chk-7/a', sizeBytes: 12, sha256: SHA_256, shared: true },
    }],
    operator: { kind: 'inline', base64: 'aGk=', sha256: SHA_256 },
    union: true,
  }],
  metrics: {
    startDelayMs: 0.5, alignmentMs: 0, syncMs: 1, asyncMs: 2, stateSizeBytes: 14, checkpointedSizeBytes: 14,
    processedBytes: 0, persistedBytes: 0, unaligned: false,
  },
};

test('an acknowledgement survives the wire', (t) => {
  t.deepEqual(parseCheckpointAck(fromJsonBytes(jsonBytes(ACK))), ACK);
});

/** Every way to a value inside of plain data. */
function paths(value: JsonValue): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [[]];
  const entries = Object.entries(value as JsonObject);
  return [[], ...entries.flatMap(([key, part]) => paths(part).map((path) => [key, ...path]))];
}

function replaced(value: JsonValue, path: readonly (string | number)[], by: JsonValue): JsonValue {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string | number, JsonValue>;
  copy[key] = replaced(copy[key] ?? null, rest, by);
  return copy;
}

test('a field of a wrong type is refused, and the message names it', (t) => {
  const data = fromJsonBytes<JsonValue>(jsonBytes(ACK));
  const places = paths(data).filter((path) => !path.includes('meta') || path.at(-1) === 'meta');
  fc.assert(fc.property(fc.constantFrom(...places), fc.constantFrom<JsonValue>(-1, Number.NaN, '', [5], 'x y', 1.5), (path, by) => {
    const broken = replaced(data, path, by);
    let parsed: TaskCheckpointAck | null = null;
    try {
      parsed = parseCheckpointAck(broken);
    } catch (thrown) {
      const last = path.findLast((part) => Number.isNaN(Number(part))) ?? 'acknowledgement';
      t.regex((thrown as Error).message, new RegExp(`^checkpoint data: .*${last}`));
      return;
    }
    t.deepEqual(parsed as unknown, broken as unknown, 'what is accepted is taken as it is');
  }));
});

test('the messages of a checkpoint carry its id beyond 32 bits', (t) => {
  const options: CheckpointOptions = {
    kind: 'savepoint', alignment: 'exactly-once', unaligned: false, alignedTimeoutMs: null, incremental: false, stop: 'drain', format: 'CANONICAL',
    directory: '/s', sharedDirectory: null, inlineSizeBytesMax: 0,
  };
  const { request } = METHODS.triggerCheckpoint;
  const message = { job: 'j', generation: 3, attempt: 'a', checkpointId: 2 ** 40, timestampMs: 1.7e12, optionsJson: jsonBytes(options) };
  const decoded = request.decode(request.encode(message));
  t.like(decoded, { checkpointId: 2 ** 40, timestampMs: 1.7e12, attempt: 'a' });
  t.deepEqual(fromJsonBytes<CheckpointOptions>(decoded.optionsJson), options);
});
