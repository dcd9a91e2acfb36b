/**
 * The streams under windows: a keyed stream as it is, or a whole stream under one key, in one subtask.
 */
import type { KeySpec } from '../graph/operator-spec.ts';
import { t } from '../types/t.ts';
import type { DataStream, KeyedStream } from './data-stream.ts';
import { SingleOutputStream } from './data-stream.ts';
import { evictor, globalWindows, trigger } from './windows.ts';
import { ALL, WindowedStream, type WindowedInput } from './windowed-stream.ts';

const allKey: KeySpec = { selector: () => ALL, type: t.string as KeySpec['type'] };

/** Windows of a keyed stream are as parallel as the stream. */
export function keyedInput<T, K>(stream: KeyedStream<T, K>): WindowedInput<T> {
  return { type: stream.type, declare: (name, spec, outputType) => stream.transform(name, spec, outputType) };
}

/** Windows of a whole stream are in one subtask. */
export function allInput<T>(stream: DataStream<T>): WindowedInput<T> {
  const { environment, outlets, type } = stream;
  return {
    type,
    declare(name, spec, outputType) {
      const inputs = [outlets.map((outlet) => ({ ...outlet, partitioning: { kind: 'global' } as const }))];
      const serialReason = 'windowAll sees all records in one subtask; key the stream for windows in parallel';
      return new SingleOutputStream(environment, environment.builder.add({ spec, name, inputs, keys: [allKey], outputType, serialReason }));
    },
  };
}

/** Flink's count windows: purged at every `size` records, or evicted to the last `size` at every `slide`. */
export function countWindows<T, K>(input: WindowedInput<T>, size: number, slide: number | undefined): WindowedStream<T, K> {
  const windows = new WindowedStream<T, K>(input, globalWindows());
  if (slide === undefined) return windows.trigger(trigger.purging(trigger.count(size)));
  return windows.evictor(evictor.count(size)).trigger(trigger.count(slide));
}
