/**
 * Source readers by spec: what reads the splits of one subtask of a source operator.
 */
import type { ReaderContext, SourceReader } from '../graph/functions.ts';
import type { SourceSpec } from '../graph/operator-spec.ts';
import type { ConnectorPorts } from './connector-ports.ts';
import { DatagenReader } from './datagen-reader.ts';
import { ElementsReader } from './elements-reader.ts';
import { FormatReader } from './format-reader.ts';
import { SequenceReader } from './sequence-reader.ts';
import { SocketReader } from './socket-reader.ts';
import { TextFileReader } from './text-file-reader.ts';

/** Makes the reader of one subtask. It begins to work with `start`; splits come from its enumerator. */
export function createReader(spec: SourceSpec, context: ReaderContext, ports: ConnectorPorts): SourceReader<unknown> {
  switch (spec.kind) {
    case 'source.sequence':
      return new SequenceReader();
    case 'source.elements':
      return new ElementsReader(spec.user.elements);
    case 'source.datagen':
      return new DatagenReader({ ...spec.data, generate: spec.user.generate }, ports.clock);
    case 'source.socket':
      return new SocketReader(spec.data, context, ports.clock);
    case 'source.files':
      return spec.user.format.kind === 'lines'
        ? new TextFileReader({ ...spec.data, format: spec.user.format }, context, ports.files)
        : new FormatReader(spec.user.format, context, ports.files);
    case 'source.custom':
      return spec.user.source.createReader(context);
  }
}
