/** Sink writers by spec: what writes the records of one subtask of a sink operator. */
import { unreachable } from '../base/assert.ts';
import type { Committer, RuntimeContext, SinkWriter, SinkWriterContext } from '../graph/functions.ts';
import type { SinkSpec } from '../graph/operator-spec.ts';
import type { CollectChannel } from './collect-writer.ts';
import { CollectWriter } from './collect-writer.ts';
import type { ConnectorPorts } from './connector-ports.ts';
import { FileCommitter, FileSinkWriter } from './file-sink.ts';
import { PrintWriter } from './print-writer.ts';
import { TextFileWriter } from './text-file-writer.ts';

/** What a sink's subtask gives its writer, besides the runtime context. */
export interface SinkContext extends SinkWriterContext {
  /** Text for the TaskManager's `.out`. A promise means: wait, too much is on its way. */
  print(stream: 'stdout' | 'stderr', text: string): void | Promise<void>;
  /** The way to the collect sink's coordinator. */
  readonly collect: CollectChannel;
}

/** Makes the writer of one subtask. `sink.discard` has none: it is generated into the chain. */
export function createSinkWriter(
  spec: SinkSpec, context: SinkContext, ports: ConnectorPorts,
): SinkWriter<unknown> | Promise<SinkWriter<unknown>> {
  switch (spec.kind) {
    case 'sink.print':
      return new PrintWriter(spec.data, context);
    case 'sink.text':
      return new TextFileWriter({ path: spec.data.path, format: spec.user.format }, context, ports.files);
    case 'sink.file':
      return new FileSinkWriter(spec, ports);
    case 'sink.collect':
      return new CollectWriter(context.collect);
    case 'sink.custom':
      return spec.user.sink.createWriter(context);
    case 'sink.discard':
      return unreachable(spec as never, 'discard sinks write nothing');
  }
}

/** Makes the committer of one subtask; null for sinks whose output is visible at once. */
export function createSinkCommitter(
  spec: SinkSpec, context: RuntimeContext, ports: ConnectorPorts,
): Committer | null | Promise<Committer | null> {
  if (spec.kind === 'sink.file') return new FileCommitter(ports.files) as Committer<never>;
  return spec.kind === 'sink.custom' ? spec.user.sink.createCommitter?.(context) ?? null : null;
}
