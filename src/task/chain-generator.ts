/**
 * Generates one function per segment of a chain: the loop over a batch with every operator written in
 * place, so that each call of a user function is a call site of its own that V8 can inline.
 *
 *     function batch(values, timestampsMs, from, to) {
 *       for (let i = from; i < to; i++) {
 *         const value = values[i], timestampMs = timestampsMs[i];
 *         // operator 0
 *         const mapped = user_0.map(value);
 *         …
 *         if (status.full || interrupt[0] !== 0) return i + 1;
 *       }
 *       return to;
 *     }
 *     function record(value, timestampMs) { … }        the same lines for one record
 *
 * Where an operator emits from several places, its consumers become a function of their own. The comment
 * `// operator n` in front of each operator's lines is how a stack trace finds the operator at fault.
 */
import { CodeWriter } from '../base/code-writer.ts';
import { stackFrames } from '../base/source-place.ts';
import { operatorFailure } from '../operators/failure.ts';
import type { OperatorCode, OperatorOutputs, Output, RecordVariables } from '../operators/operator.ts';
import type { BatchFunction, ChainConsumer, ChainedNode, RecordFunction, Segment, SegmentFunctions } from './chain.ts';
import type { Interrupt } from './chain-interpreter.ts';

/** The error that names the operator at fault. */
type Blame = (thrown: unknown) => unknown;

/** What the generated text returns. */
interface GeneratedModule {
  readonly batches: readonly BatchFunction[];
  readonly record: RecordFunction;
  readonly functions: Readonly<Record<string, RecordFunction>>;
}

/** A function still to be written: the consumers that it hands a record to. */
interface PendingFunction {
  readonly name: string;
  readonly consumers: readonly ChainConsumer[];
}

/** A segment's functions, and the text they came from. */
export interface GeneratedSegment extends SegmentFunctions {
  readonly text: string;
}

/** Generates and links a segment. `sourceName` appears in profiles and stacks and must be unique in the process. */
export function generateSegment(segment: Segment, interrupt: Interrupt, sourceName: string): GeneratedSegment {
  return new SegmentGenerator(segment, interrupt, sourceName).generate();
}

class SegmentGenerator {
  readonly code = new CodeWriter();
  readonly status: string;
  private readonly interrupt: string;
  private readonly segment: Segment;
  private readonly sourceName: string;
  private readonly pending: PendingFunction[] = [];
  private readonly declarations: string[] = [];
  private operatorOfLine: readonly (number | null)[] = [];
  private readonly blame: Blame = (thrown) => this.blamed(thrown);
  /** Functions over the consumers of one tag of a node. */
  private readonly collectors = new Map<ChainedNode, Map<string | null, string>>();

  constructor(segment: Segment, interrupt: Interrupt, sourceName: string) {
    this.segment = segment;
    this.sourceName = sourceName;
    this.status = this.code.constant('status', segment.status);
    this.interrupt = this.code.constant('interrupt', interrupt);
  }

  generate(): GeneratedSegment {
    this.writeBatch(0);
    if (this.segment.inputCount === 2) this.writeBatch(1);
    this.writeRecord();
    for (const node of this.segment.nodes) this.requestSideOutputs(node);
    for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) this.writeFunction(next);
    for (const declaration of this.declarations) this.code.line(declaration);
    const names = [...this.collectors.values()].flatMap((byTag) => [...byTag.values()]);
    const second = this.segment.inputCount === 2 ? 'batch1' : 'batch0';
    this.code.line(`return { batches: [batch0, ${second}], record, functions: { ${names.join(', ')} } };`);
    const module = this.code.build(this.sourceName) as GeneratedModule;
    const text = this.code.text();
    this.operatorOfLine = operatorsByLine(text);
    this.link(module, this.blame);
    const batches = module.batches.map((batch) => blaming(batch, this.blame)) as [BatchFunction, BatchFunction];
    return { batches, record: module.record, text };
  }

  private writeBatch(inputIndex: 0 | 1): void {
    const record = { value: 'value', timestampMs: 'timestampMs' };
    this.code.block(`function batch${inputIndex}(values, timestampsMs, from, to)`, () => {
      this.code.block('for (let i = from; i < to; i++)', () => {
        this.code.line('const value = values[i], timestampMs = timestampsMs[i];');
        this.writeConsumers(this.segment.entry, record, inputIndex);
        this.code.line(`if (${this.status}.full || ${this.interrupt}[0] !== 0) return i + 1;`);
      });
      this.code.line('return to;');
    });
  }

  /** The handler is in the text: called from outside, the function would cost another call per record. */
  private writeRecord(): void {
    this.code.block('function record(value, timestampMs)', () => {
      this.code.block('try', () => this.writeConsumers(this.segment.entry, { value: 'value', timestampMs: 'timestampMs' }, 0));
      this.code.block('catch (thrown)', () => this.code.line(`throw ${this.code.constant('blame', this.blame)}(thrown);`));
    });
  }

  private writeFunction({ name, consumers }: PendingFunction): void {
    this.code.block(`function ${name}(value, timestampMs)`, () => {
      this.writeConsumers(consumers, { value: 'value', timestampMs: 'timestampMs' }, 0);
    });
  }

  private writeConsumers(consumers: readonly ChainConsumer[], record: RecordVariables, inputIndex: 0 | 1): void {
    for (const consumer of consumers) {
      const passed = this.writeHop(consumer, record);
      if (consumer.writer !== null) {
        this.code.line(`${this.code.constant('writer', consumer.writer)}.emit(${passed.value}, ${passed.timestampMs});`);
      } else if (consumer.operator !== null) {
        this.writeOperator(consumer.operator, passed, inputIndex);
      }
    }
  }

  private writeHop(consumer: ChainConsumer, record: RecordVariables): RecordVariables {
    if (consumer.hop === null) return record;
    const passed = this.code.name('copied');
    this.code.line(`const ${passed} = ${this.code.constant('hop', consumer.hop)}(${record.value});`);
    return { value: passed, timestampMs: record.timestampMs };
  }

  private writeOperator(node: ChainedNode, record: RecordVariables, inputIndex: 0 | 1): void {
    this.code.line(`// operator ${this.segment.nodes.indexOf(node)}`);
    node.operator.generate(this.operatorCode(node), record, inputIndex);
  }

  private operatorCode(node: ChainedNode): OperatorCode {
    const { code, declarations, status } = this;
    return {
      status,
      line: (text) => code.line(text),
      block: (head, body) => code.block(head, body),
      name: (hint) => code.name(hint),
      constant: (hint, value) => code.constant(hint, value),
      declare: (text) => void declarations.push(text),
      collect: (record) => this.writeConsumers(mainConsumers(node), record, 0),
      collector: () => this.collector(node, null),
    };
  }

  /** The function over the consumers of one output of `node`; written once, after the batch functions. */
  private collector(node: ChainedNode, tag: string | null): string {
    const byTag = this.collectors.get(node) ?? new Map<string | null, string>();
    this.collectors.set(node, byTag);
    const known = byTag.get(tag);
    if (known !== undefined) return known;
    const name = this.code.name('collect');
    byTag.set(tag, name);
    this.pending.push({ name, consumers: node.consumers.filter((consumer) => consumer.tag === tag) });
    return name;
  }

  private requestSideOutputs(node: ChainedNode): void {
    for (const { tag } of node.consumers) if (tag !== null) this.collector(node, tag);
  }

  /** Operators that emit outside of the generated text get the generated functions as their outputs. */
  private link(module: GeneratedModule, blame: Blame): void {
    for (const [node, byTag] of this.collectors) {
      const outputs = new Map([...byTag].map(([tag, name]) => [tag, blamingOutput(module.functions[name] as RecordFunction, blame)]));
      const links: OperatorOutputs = { main: outputs.get(null) ?? { collect: () => undefined }, side: (tag) => outputs.get(tag) ?? null };
      node.operator.link(links);
    }
  }

  private blamed(thrown: unknown): unknown {
    const line = generatedLine(thrown, this.sourceName);
    return operatorFailure(line === null ? this.allNames() : this.nameAt(this.operatorOfLine[line] ?? null), thrown);
  }

  private nameAt(index: number | null): string {
    return (index === null ? null : this.segment.nodes[index]?.operator.name) ?? this.segment.origin;
  }

  /** For a stack that does not show the generated text: any of them may be at fault. */
  private allNames(): string {
    const { nodes, origin } = this.segment;
    return nodes.length === 0 ? origin : nodes.map(({ operator }) => operator.name).join(' -> ');
  }
}

function mainConsumers(node: ChainedNode): readonly ChainConsumer[] {
  return node.consumers.filter((consumer) => consumer.tag === null);
}

/** An output that names the operator at fault downstream; who emits may be asked from outside of a batch. */
function blamingOutput(collect: RecordFunction, blame: Blame): Output {
  return {
    collect(value, timestampMs) {
      try {
        collect(value, timestampMs);
      } catch (thrown) {
        throw blame(thrown);
      }
    },
  };
}

/** The batch function with failures named; the handler is outside of the loop and costs nothing per record. */
function blaming(batch: BatchFunction, blame: Blame): BatchFunction {
  return (values, timestampsMs, from, to) => {
    try {
      return batch(values, timestampsMs, from, to);
    } catch (thrown) {
      throw blame(thrown);
    }
  };
}

/** Index of the operator that wrote each line of the text; null for lines before the first. */
function operatorsByLine(text: string): readonly (number | null)[] {
  let current: number | null = null;
  return text.split('\n').map((line) => {
    const marker = /^\s*\/\/ operator (\d+)$/.exec(line);
    if (marker) current = Number(marker[1]);
    return current;
  });
}

/** Lines that stand before the text in a compiled function: two of `new Function`, one of `'use strict'`. */
const LINES_BEFORE_TEXT = 3;

/** 0-based line of the generated text in which `thrown` passed; null when its stack does not show one. */
function generatedLine(thrown: unknown, sourceName: string): number | null {
  const place = `codegen/${encodeURI(sourceName)}.js:`;
  const frame = stackFrames(thrown).find((line) => line.includes(place));
  if (frame === undefined) return null;
  const line = Number.parseInt(frame.slice(frame.indexOf(place) + place.length), 10);
  return Number.isNaN(line) ? null : line - 1 - LINES_BEFORE_TEXT;
}
