/**
 * `node dist/scripts/bench/micro-exchange.js`: records per second between two threads over a ring, encode
 * and decode included. Guards the tricks of src/exchange and src/types.
 */
import { Worker } from 'node:worker_threads';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import type { ChannelEndpoint } from '../../src/exchange/contract.ts';
import { Doorbell } from '../../src/exchange/doorbell.ts';
import { allocateRing } from '../../src/exchange/ring.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import type { Generation } from '../../src/protocol/ids.ts';
import { typeNamed, type RecordName } from '../../test/exchange/sample-records.ts';

const COUNT = Number(process.argv[2] ?? 5_000_000);
const BUFFERS = Number(process.argv[3] ?? 8);
const BATCH = 256;

async function run(records: RecordName, partitioning: 'rebalance' | 'hash', channels: number): Promise<void> {
  const log = silentLoggers.logger('bench');
  const slot = new SlotChannels(log);
  const peer = new Doorbell();
  const generation = 1 as Generation;
  const rings = Array.from({ length: channels }, (_, i) => ({ channelId: `0:0:${i}`, ring: allocateRing(BUFFERS) }));
  const ends = (doorbell: SharedArrayBuffer): ChannelEndpoint[] => rings.map((ring) => ({ kind: 'ring', generation, doorbell, ...ring }));
  const gate = slot.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: typeNamed(records), endpoints: ends(peer.shared) }] });
  const batch = { values: [] as unknown[], timestampsMs: [] as number[], length: 0, capacity: BATCH };
  const task = { doorbell: peer.shared, endpoints: ends(slot.doorbell.shared), partitioning, records, count: COUNT };
  const worker = new Worker(new URL('../../test/exchange/ring-source.js', import.meta.url), { workerData: task });
  let [startedMs, warmCount, sleeps] = [0, 0, 0];
  for (;;) {
    const seen = slot.doorbell.value();
    const result = gate.poll(batch);
    if (result === 'end') break;
    if (result === 'nothing') {
      sleeps++;
      await slot.doorbell.changed(seen);
    }
    if (startedMs === 0 && gate.recordsIn > COUNT / 5) [startedMs, warmCount, sleeps] = [systemPorts.clock.monotonicMs(), gate.recordsIn, 0];
  }
  const elapsedMs = systemPorts.clock.monotonicMs() - startedMs;
  const rate = (COUNT - warmCount) / elapsedMs / 1000;
  console.log(`${records.padEnd(10)} ${partitioning.padEnd(9)} ${channels} ring(s)  ${rate.toFixed(1)} M rec/s  ${(gate.bytesIn / COUNT).toFixed(1)} B/rec  ${sleeps} sleeps`);
  await worker.terminate();
}

for (const records of ['string', 'number', 'row', 'anyString', 'anyNumber', 'anyObject'] as const) await run(records, 'rebalance', 1);
await run('anyObject', 'hash', 2);
await run('row', 'hash', 2);
