/** Rings between real threads: every record arrives once and in order, and neither side misses a wake-up. */
import test from 'ava';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { silentLoggers } from '../../src/base/log.ts';
import type { ChannelEndpoint } from '../../src/exchange/contract.ts';
import { Doorbell } from '../../src/exchange/doorbell.ts';
import { allocateRing } from '../../src/exchange/ring.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import { newBatch, GENERATION } from './two-ends.ts';
import { recordOf, typeNamed, type RecordName } from './sample-records.ts';

const COUNT = 200_000;

for (const records of ['row', 'anyObject'] as const) {
  test(`${records}: a source in another thread feeds two rings, both ends sleeping and waking`, async (t) => {
    const slot = new SlotChannels(silentLoggers.logger('test'));
    const peer = new Doorbell();
    const rings = [0, 1].map((i) => ({ channelId: `0:0:${i}`, ring: allocateRing(2) }));
    const ends = (doorbell: SharedArrayBuffer): ChannelEndpoint[] =>
      rings.map((ring) => ({ kind: 'ring', generation: GENERATION, doorbell, isRemote: false, ...ring }));
    const gate = slot.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: typeNamed(records), endpoints: ends(peer.shared) }] });
    const worker = startSource(records, peer, ends(slot.doorbell.shared));
    t.teardown(() => worker.terminate().then(() => undefined));
    const done = once(worker, 'message');
    const next = [0, 1]; // Round robin: channel 0 carries the even records.
    const batch = newBatch();
    let recordsIn = 0;
    for (;;) {
      const seen = slot.doorbell.value();
      const result = gate.poll(batch);
      if (result === 'end') break;
      if (result === 'nothing') await slot.doorbell.changed(seen);
      if (result === 'records') recordsIn += batch.length;
      for (let i = 0; result === 'records' && i < batch.length; i++) {
        const index = next[gate.channelIndex] as number;
        next[gate.channelIndex] = index + 2;
        if (batch.timestampsMs[i] !== index) return t.fail(`record ${batch.timestampsMs[i]} came where ${index} was due`);
        if (index % 997 === 0) t.deepEqual(batch.values[i], recordOf(records, index));
      }
    }
    t.is(recordsIn, COUNT);
    t.deepEqual((await done)[0], 'done', 'the source sees that everything was taken');
  });
}

function startSource(records: RecordName, peer: Doorbell, endpoints: readonly ChannelEndpoint[]): Worker {
  const task = { doorbell: peer.shared, endpoints, partitioning: 'rebalance', records, count: COUNT };
  return new Worker(new URL('./ring-source.js', import.meta.url), { workerData: task });
}
