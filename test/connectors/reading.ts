/** Drives a source reader to its end as a slot does: polls, and waits when there is nothing. */
import { systemPorts } from '../../src/base/system-ports.ts';
import type { PollResult, ReaderContext, RecordBatch, SourceReader, SourceSplit } from '../../src/graph/functions.ts';
import type { ConnectorPorts } from '../../src/connectors/connector-ports.ts';
import { FileSystems } from '../../src/storage/file-system.ts';
import { LocalFiles } from '../../src/storage/local-files.ts';

/** Ports over the real clock and the local disk. */
export const localPorts: ConnectorPorts = {
  ...systemPorts,
  files: new FileSystems(new Map([['file', () => new LocalFiles(systemPorts.random)]])),
};

export function newBatch(capacity: number): RecordBatch<unknown> {
  return { values: [], timestampsMs: [], length: 0, capacity };
}

/** A reader's context of one subtask; counters and log lines can be looked at afterwards. */
export function readerContext(onRequest: () => void = () => undefined): ReaderContext & { readonly counts: Map<string, number>; readonly lines: string[] } {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  const log = (message: string): void => void lines.push(message);
  return {
    counts, lines,
    jobId: '0'.repeat(32), jobName: 'job', taskName: 'Source', subtaskIndex: 0, parallelism: 1, maxParallelism: 128, attemptNumber: 0,
    accumulators: { add: () => undefined, histogram: () => undefined },
    counter: (name) => ({ inc: (by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by) }),
    gauge: () => undefined,
    log: { info: log, warn: log, error: log },
    requestSplit: onRequest,
    sendEvent: () => undefined,
  };
}

/** Reads `splits` to the end. `onBatch` is called after each poll, between batches. */
export async function readAll<S extends SourceSplit>(
  reader: SourceReader<unknown, S>, splits: readonly S[], options: { readonly capacity?: number; readonly onBatch?: (values: readonly unknown[]) => unknown } = {},
): Promise<unknown[]> {
  const records: unknown[] = [];
  try {
    await reader.start?.();
    reader.addSplits(splits);
    reader.noMoreSplits();
    const batch = newBatch(options.capacity ?? 100);
    for (let result: PollResult = 'more'; result !== 'end'; ) {
      result = reader.poll(batch);
      const values = batch.values.slice(0, batch.length);
      records.push(...values);
      await options.onBatch?.(values);
      if (result === 'nothing') await reader.available();
    }
  } finally {
    await reader.close();
  }
  return records;
}
