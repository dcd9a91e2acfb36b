/** Worker: emits `count` records to the rings of an edge as a slot would, waiting on its doorbell while full. */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../src/base/assert.ts';
import { silentLoggers } from '../../src/base/log.ts';
import type { WriterOptions } from '../../src/exchange/contract.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import { typeNamed, recordOf, type RecordName } from './sample-records.ts';

/** What the worker is to do. */
export interface RingSourceTask {
  readonly doorbell: SharedArrayBuffer;
  readonly endpoints: WriterOptions['endpoints'];
  readonly partitioning: 'rebalance' | 'hash';
  readonly records: RecordName;
  readonly count: number;
}

async function run(task: RingSourceTask): Promise<void> {
  const slot = new SlotChannels(silentLoggers.logger('source'), task.doorbell);
  const status = { full: false };
  const key = { selector: (value: unknown) => (value as { word?: string }).word ?? value, type: null };
  const writer = slot.createWriter({
    taskName: 'source (1/1)', key, maxParallelism: 128, producerIndex: 0, bufferTimeoutMs: 100, seed: 1, status,
    partitioning: task.partitioning === 'hash' ? { kind: 'hash', key } : { kind: 'rebalance' },
    type: typeNamed(task.records), endpoints: task.endpoints,
  });
  for (let i = 0; i < task.count; i++) {
    while (status.full) {
      const seen = slot.doorbell.value();
      if (writer.refresh()) status.full = false;
      else await slot.doorbell.changed(seen);
    }
    writer.emit(recordOf(task.records, i), i);
  }
  writer.broadcast({ kind: 'end' });
  for (;;) {
    const seen = slot.doorbell.value();
    if (writer.isDrained()) return;
    await slot.doorbell.changed(seen);
  }
}

const port = present(parentPort, 'runs as a worker');
port.on('message', () => port.close()); // Keeps the loop alive, as a slot's port does.
void run(workerData as RingSourceTask).then(() => port.postMessage('done'));
