/**
 * flatMap and its form on two connected streams. Results are a returned iterable or calls of `out.emit`.
 *
 * What is emitted cannot be stopped: it goes to the writers' overdraft. What is returned is given out
 * while there is room and held when there is none, so a record may return any number of results:
 *
 *     held: [results of record 1, from the 4th on] [record 2, not yet given to the function] …
 *
 * Records arrive at a full operator only from an upstream that could not stop; they wait their turn.
 */
import { NO_TIMESTAMP } from '../graph/functions.ts';
import type { Collector, FlatMapFunction, Lifecycle } from '../graph/functions.ts';
import type { OutputStatus } from '../exchange/contract.ts';
import { operatorFailure } from './failure.ts';
import { HeldRecords } from './held-records.ts';
import { FunctionOperator } from './function-operator.ts';
import type { OperatorCode, OperatorContext, RecordVariables } from './operator.ts';

type Results = Iterable<unknown> | void;

interface HeldRecord {
  readonly value: unknown;
  readonly timestampMs: number;
  readonly inputIndex: 0 | 1;
}

/** Shared by the two forms, which differ in how they call the user. */
abstract class Flattening<U extends Lifecycle> extends FunctionOperator<U> {
  /** True while results or records are held; read by generated code for every record. */
  holding = false;
  private readonly collector: Collector<unknown> = { emit: (value) => this.outputs.main.collect(value, this.emitTimestampMs) };
  private emitTimestampMs = NO_TIMESTAMP;
  private status: OutputStatus = { full: false };
  private results: Iterator<unknown> | null = null;
  private resultsTimestampMs = 0;
  private readonly waiting: HeldRecords<HeldRecord>;

  constructor(name: string, user: U) {
    super(name, user);
    this.waiting = new HeldRecords(name);
  }

  protected abstract call(value: unknown, inputIndex: 0 | 1, out: Collector<unknown>): Results;

  /** The expression that calls the user in generated code. */
  protected abstract callText(user: string, value: string, inputIndex: 0 | 1, out: string): string;

  override open(context: OperatorContext): void | Promise<void> {
    this.status = context.status;
    return super.open(context);
  }

  process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    if (this.holding) {
      this.wait(value, timestampMs, inputIndex);
      return;
    }
    this.emitTimestampMs = timestampMs;
    const results = this.call(value, inputIndex, this.collector);
    if (results !== undefined) this.giveOut(results, timestampMs);
  }

  generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void {
    const self = code.constant('flatMap', this);
    const user = code.constant('user', this.user);
    const collect = code.collector();
    const [out, emitted, results, i] = [code.name('out'), code.name('timestampMs'), code.name('results'), code.name('i')];
    code.declare(`const ${emitted} = new Float64Array(1);`); // A variable of the closure would box each timestamp.
    code.declare(`const ${out} = { emit(value) { ${collect}(value, ${emitted}[0]); } };`);
    code.block(`if (${self}.holding)`, () => code.line(`${self}.wait(${record.value}, ${record.timestampMs}, ${inputIndex});`));
    code.block('else', () => {
      code.line(`${emitted}[0] = ${record.timestampMs};`);
      code.line(`const ${results} = ${this.callText(user, record.value, inputIndex, out)};`);
      code.block(`if (Array.isArray(${results}))`, () => {
        code.line(`let ${i} = 0;`);
        code.line(`while (${i} < ${results}.length && !${code.status}.full) ${collect}(${results}[${i}++], ${record.timestampMs});`);
        code.line(`if (${i} < ${results}.length) ${self}.hold(${results}.slice(${i}), ${record.timestampMs});`);
      });
      code.line(`else if (${results} !== undefined) ${self}.giveOut(${results}, ${record.timestampMs});`);
    });
  }

  /** Queues a record behind what is held. */
  wait(value: unknown, timestampMs: number, inputIndex: 0 | 1): void {
    this.waiting.add({ value, timestampMs, inputIndex });
  }

  /** Keeps results for `resume`. Throws when they are no results: types do not hold what is built without checking them. */
  hold(results: Iterable<unknown> | null, timestampMs: number): void {
    if (typeof results?.[Symbol.iterator] !== 'function') {
      const what = results === null ? 'null' : `a value of type ${typeof results}`;
      throw new TypeError(`its function returned ${what}: return an iterable of results, or nothing and call out.emit(…)`);
    }
    this.results = results[Symbol.iterator]();
    this.resultsTimestampMs = timestampMs;
    this.holding = true;
  }

  /** Gives out results until there is no room. */
  giveOut(results: Iterable<unknown>, timestampMs: number): void {
    this.hold(results, timestampMs);
    this.holding = !this.drainResults();
  }

  resume(): boolean {
    while (this.holding && !this.status.full) {
      if (!this.drainResults()) return false;
      const next = this.waiting.take();
      this.holding = false;
      if (next !== undefined) this.restart(next);
    }
    return !this.holding;
  }

  /** A generator that was not used up still runs its `finally`. */
  override close(): void | Promise<void> {
    const { results } = this;
    this.results = null;
    results?.return?.();
    return super.close();
  }

  /** Gives the oldest waiting record to the function. */
  private restart(record: HeldRecord): void {
    this.process(record.value, record.timestampMs, record.inputIndex);
    this.holding ||= this.waiting.length > 0;
  }

  /** True when the held results are used up. */
  private drainResults(): boolean {
    while (this.results !== null) {
      if (this.status.full) return false;
      const next = this.pull(this.results);
      if (next.done === true) this.results = null;
      else this.outputs.main.collect(next.value, this.resultsTimestampMs);
    }
    return true;
  }

  private pull(results: Iterator<unknown>): IteratorResult<unknown> {
    try {
      return results.next();
    } catch (thrown) {
      throw operatorFailure(this.name, thrown);
    }
  }
}

type OneFlatMap = Lifecycle & { readonly flatMap: FlatMapFunction<unknown, unknown> };

/** Any number of results per record. */
export class FlatMapOperator extends Flattening<OneFlatMap> {
  protected call(value: unknown, _inputIndex: 0 | 1, out: Collector<unknown>): Results {
    return this.user.flatMap(value, out);
  }

  protected callText(user: string, value: string, _inputIndex: 0 | 1, out: string): string {
    return `${user}.flatMap(${value}, ${out})`;
  }
}

type TwoFlatMaps = Lifecycle & {
  readonly flatMap1: FlatMapFunction<unknown, unknown>;
  readonly flatMap2: FlatMapFunction<unknown, unknown>;
};

/** A flatMap per input, into one stream. */
export class CoFlatMapOperator extends Flattening<TwoFlatMaps> {
  protected call(value: unknown, inputIndex: 0 | 1, out: Collector<unknown>): Results {
    return inputIndex === 0 ? this.user.flatMap1(value, out) : this.user.flatMap2(value, out);
  }

  protected callText(user: string, value: string, inputIndex: 0 | 1, out: string): string {
    return `${user}.${inputIndex === 0 ? 'flatMap1' : 'flatMap2'}(${value}, ${out})`;
  }
}
