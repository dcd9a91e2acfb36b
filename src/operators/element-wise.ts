/**
 * Operators that look at one record at a time and keep nothing: map, filter, and the map of two connected streams.
 */
import type { FilterFunction, Lifecycle, MapFunction } from '../graph/functions.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorCode, RecordVariables } from './operator.ts';

/** One result per record. */
export class MapOperator extends FunctionOperator<Lifecycle & { readonly map: MapFunction<unknown, unknown> }> {
  process(value: unknown, timestampMs: number): void {
    this.outputs.main.collect(this.user.map(value), timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const mapped = code.name('mapped');
    code.line(`const ${mapped} = ${code.constant('user', this.user)}.map(${record.value});`);
    code.collect({ value: mapped, timestampMs: record.timestampMs });
  }
}

/** Passes the records for which the predicate answers a true value. */
export class FilterOperator extends FunctionOperator<Lifecycle & { readonly filter: FilterFunction<unknown> }> {
  process(value: unknown, timestampMs: number): void {
    if (this.user.filter(value)) this.outputs.main.collect(value, timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const user = code.constant('user', this.user);
    code.block(`if (${user}.filter(${record.value}))`, () => code.collect(record));
  }
}

type TwoMaps = Lifecycle & { readonly map1: MapFunction<unknown, unknown>; readonly map2: MapFunction<unknown, unknown> };

/** A map per input, into one stream. */
export class CoMapOperator extends FunctionOperator<TwoMaps> {
  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    this.outputs.main.collect(inputIndex === 0 ? this.user.map1(value) : this.user.map2(value), timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    const mapped = code.name('mapped');
    code.line(`const ${mapped} = ${code.constant('user', this.user)}.${inputIndex === 0 ? 'map1' : 'map2'}(${record.value});`);
    code.collect({ value: mapped, timestampMs: record.timestampMs });
  }
}
