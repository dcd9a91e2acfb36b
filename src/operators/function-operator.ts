/**
 * What every operator over a user's function shares: its outputs, and the function's `open` and `close`.
 */
import type { Lifecycle } from '../graph/functions.ts';
import { BugError } from '../base/assert.ts';
import type { OperatorCode, OperatorContext, OperatorOutputs, RecordVariables, StreamOperator } from './operator.ts';

/** Stands in until `link`: emitting earlier is a bug of the task. */
const unlinked: OperatorOutputs = {
  main: {
    collect() {
      throw new BugError('an operator emits only after it was linked');
    },
  },
  side: () => null,
};

/** An operator that calls `user`. Keeps no record unless a subclass says so. */
export abstract class FunctionOperator<U extends Lifecycle> implements StreamOperator {
  readonly name: string;
  readonly retainsInput: boolean = false;
  readonly retainsOutput: boolean = false;
  readonly readsOnly: boolean = false;
  protected readonly user: U;
  protected outputs: OperatorOutputs = unlinked;

  constructor(name: string, user: U) {
    this.name = name;
    this.user = user;
  }

  link(outputs: OperatorOutputs): void {
    this.outputs = outputs;
  }

  open(context: OperatorContext): void | Promise<void> {
    return this.user.open?.(context.runtime);
  }

  abstract process(value: unknown, timestampMs: number, inputIndex: 0 | 1): void;

  abstract generate(code: OperatorCode, record: RecordVariables, inputIndex: 0 | 1): void;

  close(): void | Promise<void> {
    return this.user.close?.();
  }
}
