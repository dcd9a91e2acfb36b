/**
 * Writes generated functions: lines with indentation, and a constants table through which every value
 * of the user enters. Text of the user never becomes code: literals go through `JSON.stringify`,
 * functions and objects through `constant`, identifiers are made here and never copied.
 *
 * Only the data plane builds functions; control-plane processes run with code generation disallowed.
 */
import { assert } from './assert.ts';

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** One generated module: a function body that returns whatever its last line returns. */
export class CodeWriter {
  private readonly lines: string[] = [];
  private readonly names: string[] = [];
  private readonly values: unknown[] = [];
  private depth = 0;
  private serial = 0;

  /** Adds one line at the current indentation. */
  line(text: string): void {
    this.lines.push('  '.repeat(this.depth) + text);
  }

  /** `head {`, the lines of `body` indented, `}` and `tail`. */
  block(head: string, body: () => void, tail = ''): void {
    this.line(`${head} {`);
    this.depth++;
    body();
    this.depth--;
    this.line(`}${tail}`);
  }

  /** A name that no other call returns. `hint` becomes part of it when it is an identifier. */
  name(hint: string): string {
    return `${IDENTIFIER.test(hint) ? hint : 'v'}_${this.serial++}`;
  }

  /** Names `value` inside the generated code. Each call site gets its own constant, so it stays monomorphic. */
  constant(hint: string, value: unknown): string {
    const name = this.name(hint);
    this.names.push(name);
    this.values.push(value);
    return name;
  }

  /** The generated text, for goldens and `--dump-codegen`. */
  text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  /** Compiles. `sourceName` appears in profiles and stack traces, as `codegen/<sourceName>.js`. */
  build(sourceName: string): unknown {
    assert(!/[\r\n]/.test(sourceName), 'a source name is one line');
    const body = `'use strict';\n${this.text()}//# sourceURL=codegen/${encodeURI(sourceName)}.js\n`;
    const make = new Function(...this.names, body);
    return make(...this.values) as unknown;
  }
}

/** Whether this process may compile generated code (`--disallow-code-generation-from-strings` forbids it). */
export function canGenerateCode(): boolean {
  try {
    return new Function('return true')() === true;
  } catch (refusal) {
    assert(refusal instanceof EvalError, 'only the code generation policy refuses a constant function');
    return false;
  }
}
