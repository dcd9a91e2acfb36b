/**
 * The rolling sum of a keyed stream: the first record of a key with one field that grows.
 *
 * State: value state `reduce`, owned by this operator: the record in it is changed in place, and what is
 * emitted is a copy that dies young. Replacing the record in state for every input instead cost 2 to 3
 * times as much on 50 000 keys, because each new record is promoted to the old generation (Node 20).
 *
 * A record that holds its key and the number and nothing else, as `(word, 1)` does, is not kept: value state
 * `sum` has the number, and the key says the rest. A rare key then costs one cache miss instead of four
 * (counting words, 50 k distinct, tokenizer included: 245 to 205 ns a word, Node 20, AMD EPYC).
 */
import { ClusterError } from '../protocol/errors.ts';
import type { AggregateData } from '../graph/operator-spec.ts';
import type { ValueState } from '../graph/functions.ts';
import { t } from '../types/t.ts';
import { FunctionOperator } from './function-operator.ts';
import { keyNumberPairOf, type KeyNumberPair } from './key-number-pair.ts';
import type { KeyedBy } from './keyed-reduce.ts';
import type { OperatorCode, RecordVariables } from './operator.ts';

type Fields = Record<string | number, unknown>;

/** What the sum needs besides its key. */
export interface SumOptions extends KeyedBy {
  /** Null: the records themselves are numbers or bigints. */
  readonly field: AggregateData['field'];
  /** A copy whose field may be changed. */
  readonly copy: (record: unknown) => unknown;
  readonly type: Parameters<KeyedBy['store']['value']>[1];
}

/** Adds up one field per key. */
export class KeyedSumOperator extends FunctionOperator<Record<never, never>> {
  /** State keeps a copy of a key's first record, and copies are emitted. */
  override readonly readsOnly = true;
  private readonly options: SumOptions;
  private readonly pair: KeyNumberPair | null;
  /** A key has a value in one of the two. */
  private readonly state: ValueState<unknown>;
  private readonly sums: ValueState<number>;

  constructor(name: string, options: SumOptions) {
    super(name, {});
    this.options = options;
    this.pair = keyNumberPairOf(options.type, options.field);
    this.state = options.store.value('reduce', options.type, { ownership: 'owned' });
    this.sums = options.store.value('sum', t.float64);
  }

  process(value: unknown, timestampMs: number): void {
    const key = this.options.key.selector(value);
    this.options.store.setKey(key);
    this.outputs.main.collect(this.add(value, key), timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables): void {
    const { store, key: { selector } } = this.options;
    const [key, sum, operator] = [code.name('key'), code.name('sum'), code.constant('operator', this)];
    code.line(`const ${key} = ${code.constant('selector', selector)}(${record.value});`);
    code.line(`${code.constant('store', store)}.setKey(${key});`);
    const { pair } = this;
    if (pair === null) {
      code.line(`const ${sum} = ${operator}.add(${record.value}, ${key});`);
    } else {
      const [sums, total] = [code.constant('sums', this.sums), code.name('total')];
      const addend = `${record.value}[${JSON.stringify(pair.numberPlace)}]`;
      code.line(`let ${sum};`);
      code.line(`const ${total} = ${sums}.get();`);
      code.block(`if (${total} !== undefined && ${pair.test(record.value, key)} && typeof ${addend} === 'number')`, () => {
        const grown = code.name('grown');
        code.line(`const ${grown} = ${total} + ${addend};`);
        code.line(`${sums}.set(${grown});`);
        code.line(`${sum} = ${pair.literal(key, grown)};`);
      });
      code.line(`else ${sum} = ${operator}.add(${record.value}, ${key});`);
    }
    code.collect({ value: sum, timestampMs: record.timestampMs });
  }

  /** Adds to the selected key; answers what to emit. Public for generated code. */
  add(value: unknown, key: unknown): unknown {
    const { field, copy } = this.options;
    const { pair, sums } = this;
    const addend = fieldOf(value, field);
    const total = sums.get();
    if (pair !== null && total !== undefined) return this.addToPair(pair, key, plus(total, addend, field));
    const kept = this.state.get();
    if (kept === undefined) {
      plus(0, addend, field); // A value that cannot be added fails on its first record.
      if (pair !== null && typeof addend === 'number' && pair.holds(value, key)) return this.addToPair(pair, key, addend);
      this.state.set(copy(value));
      return copy(value);
    }
    const sum = plus(fieldOf(kept, field), addend, field);
    if (field === null) {
      this.state.set(sum);
      return sum;
    }
    (kept as Fields)[field] = sum;
    return copy(kept);
  }

  private addToPair(pair: KeyNumberPair, key: unknown, sum: number | bigint): unknown {
    this.sums.set(sum as number); // `plus` refuses a bigint for a number.
    return pair.of(key, sum);
  }
}

/** The copy of a record that must not change: the sum changes one field of its own, what lies deeper stays shared. */
export function ownFields(record: unknown): unknown {
  if (Array.isArray(record)) return record.slice();
  return typeof record === 'object' && record !== null ? { ...record } : record;
}

/** The field of a record; null: the record itself. */
export function fieldOf(record: unknown, field: AggregateData['field']): unknown {
  return field === null ? record : (record as Fields | null | undefined)?.[field];
}

/** `0 +` a bigint is allowed: it checks the first record. */
export function plus(a: unknown, b: unknown, field: AggregateData['field']): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (typeof b === 'bigint' && (typeof a === 'bigint' || a === 0)) return BigInt(a) + b;
  const place = field === null ? 'the record' : `field '${field}'`;
  const culprit = typeof b === 'number' || typeof b === 'bigint' ? a : b;
  const shown = typeof culprit === 'bigint' ? `${culprit}n` : culprit === undefined ? 'undefined' : JSON.stringify(culprit);
  throw new ClusterError('TYPE_MISMATCH', `sum: ${place} is ${shown}, not a number like the others`);
}
