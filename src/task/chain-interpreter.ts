/**
 * The interpreter of a segment: operators call each other through interfaces. It is the specification
 * of the generated functions, and runs where code generation is off (`pipeline.codegen: off`).
 */
import { blaming } from '../operators/failure.ts';
import type { Output, OperatorOutputs, StreamOperator } from '../operators/operator.ts';
import type { BatchFunction, ChainConsumer, Segment, SegmentFunctions } from './chain.ts';

/** Stops a batch between two records when `[0]` is not 0: mail has come for the task. */
export type Interrupt = Int32Array;

/** Links the operators of a segment; answers its functions. */
export function interpretSegment(segment: Segment, interrupt: Interrupt): SegmentFunctions {
  for (const { operator, consumers } of segment.nodes) operator.link(outputsOf(consumers));
  const entry = outputOf(segment.entry, 0);
  return {
    batches: [batchFunction(segment, interrupt, 0), batchFunction(segment, interrupt, 1)],
    record: (value, timestampMs) => blaming(segment.origin, () => entry.collect(value, timestampMs)),
  };
}

function batchFunction(segment: Segment, interrupt: Interrupt, inputIndex: 0 | 1): BatchFunction {
  const { status } = segment;
  const entry = outputOf(segment.entry, inputIndex);
  return (values, timestampsMs, from, to) => blaming(segment.origin, () => {
    for (let i = from; i < to; i++) {
      entry.collect(values[i], timestampsMs[i] as number);
      if (status.full || interrupt[0] !== 0) return i + 1;
    }
    return to;
  });
}

/** The outputs of an operator, by tag. */
function outputsOf(consumers: readonly ChainConsumer[]): OperatorOutputs {
  const read = (tag: string | null) => outputOf(consumers.filter((consumer) => consumer.tag === tag), 0);
  const sides = new Map(consumers.flatMap(({ tag }) => (tag === null ? [] : [[tag, read(tag)]])));
  return { main: read(null), side: (tag) => sides.get(tag) ?? null };
}

/** Gives a record to all consumers, in order. */
function outputOf(consumers: readonly ChainConsumer[], inputIndex: 0 | 1): Output {
  return {
    collect(value, timestampMs) {
      for (const consumer of consumers) {
        const passed = consumer.hop === null ? value : consumer.hop(value);
        if (consumer.writer !== null) consumer.writer.emit(passed, timestampMs);
        else if (consumer.operator !== null) processBy(consumer.operator.operator, passed, timestampMs, inputIndex);
      }
    },
  };
}

function processBy(operator: StreamOperator, value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
  blaming(operator.name, () => operator.process(value, timestampMs, inputIndex));
}
