/** The end of a stream: what a sink can still be told. */
import type { OperatorDraft, StreamGraphBuilder } from '../graph/stream-graph-builder.ts';
import * as settings from './operator-settings.ts';

/** A declared sink. */
export class DataStreamSink {
  private readonly builder: StreamGraphBuilder;
  private readonly draft: OperatorDraft;

  /** @internal */
  constructor(builder: StreamGraphBuilder, draft: OperatorDraft) {
    this.builder = builder;
    this.draft = draft;
  }

  /** Name in plans, logs and metrics; shown as `Sink: <name>`. */
  name(name: string): this {
    settings.setName(this.draft, name);
    return this;
  }

  /** Stable identity, to which state is mapped. Unique in the job. */
  uid(uid: string): this {
    settings.setUid(this.builder, this.draft, uid);
    return this;
  }

  /** Number of subtasks, 1 to 32768. */
  setParallelism(parallelism: number): this {
    settings.setParallelism(this.draft, parallelism);
    return this;
  }

  /** Bound of any later rescale, 1 to 32768. */
  setMaxParallelism(maxParallelism: number): this {
    settings.setMaxParallelism(this.draft, maxParallelism);
    return this;
  }

  /** Subtasks of different groups never share a slot. */
  slotSharingGroup(group: string): this {
    settings.setSlotSharingGroup(this.draft, group);
    return this;
  }

  /** Never chains with what comes before. */
  disableChaining(): this {
    this.draft.chaining = 'never';
    return this;
  }
}
