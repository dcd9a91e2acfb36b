/**
 * `node dist/scripts/bench/micro-exchange.js [records] [buffers]`: records per second between two threads over
 * rings, and over TCP between two brokers that share this thread with the reader; encode and decode
 * included. Guards the tricks of src/exchange and src/types.
 */
import { Worker } from 'node:worker_threads';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { TaskManagerChannels } from '../../src/exchange/broker.ts';
import type { ChannelEndpoint, InputGate } from '../../src/exchange/contract.ts';
import { Doorbell } from '../../src/exchange/doorbell.ts';
import { allocateRing } from '../../src/exchange/ring.ts';
import { SlotChannels } from '../../src/exchange/slot-exchange.ts';
import type { ExecutionAttemptId, Generation, ResourceId } from '../../src/protocol/ids.ts';
import { typeNamed, type RecordName } from '../../test/exchange/sample-records.ts';

const COUNT = Number(process.argv[2] ?? 5_000_000);
const BUFFERS = Number(process.argv[3] ?? 8);
const BATCH = 256;
const POLLS_PER_TURN = 32;

interface Run {
  readonly records: RecordName;
  readonly partitioning: 'rebalance' | 'hash';
  readonly channels: number;
}

/** Endpoints of both sides and the source's doorbell. */
interface Ends {
  readonly outputs: readonly ChannelEndpoint[];
  readonly inputs: readonly ChannelEndpoint[];
  close(): Promise<void>;
}

const generation = 1 as Generation;
const log = silentLoggers.logger('bench');

function ringEnds({ channels }: Run, slot: SlotChannels, peer: Doorbell): Promise<Ends> {
  const rings = Array.from({ length: channels }, (_, i) => ({ channelId: `0:0:${i}`, ring: allocateRing(BUFFERS) }));
  const ends = (doorbell: SharedArrayBuffer): ChannelEndpoint[] => rings.map((ring) => ({ kind: 'ring', generation, doorbell, isRemote: false, ...ring }));
  return Promise.resolve({ outputs: ends(slot.doorbell.shared), inputs: ends(peer.shared), close: () => Promise.resolve() });
}

async function tcpEnds({ channels }: Run, slot: SlotChannels, peer: Doorbell): Promise<Ends> {
  const side = async (resourceId: string, doorbell: SharedArrayBuffer) => {
    const broker = new TaskManagerChannels({ ports: systemPorts, log, networkSizeBytes: 64 << 20 });
    broker.addSlot(0, doorbell);
    const dataPort = await broker.listen('127.0.0.1', 0);
    return { broker, location: { resourceId: resourceId as ResourceId, host: '127.0.0.1', dataPort, slotIndex: 0 } };
  };
  const [source, sink] = [await side('a', peer.shared), await side('b', slot.doorbell.shared)];
  const attempts = { producer: 'g_a_0_0' as ExecutionAttemptId, consumer: 'g_b_0_0' as ExecutionAttemptId };
  const ids = Array.from({ length: channels }, (_, i) => `0:0:${i}`);
  return {
    outputs: ids.map((channelId) => source.broker.openOutput({ channelId, ...attempts, peer: sink.location }, generation, source.location)),
    inputs: ids.map((channelId) => sink.broker.openInput({ channelId, ...attempts, peer: source.location }, generation, sink.location)),
    close: async () => {
      await Promise.all([source.broker.close(), sink.broker.close()]);
    },
  };
}

async function measure(kind: 'ring' | 'tcp', run: Run): Promise<void> {
  const [slot, peer] = [new SlotChannels(log), new Doorbell()];
  const ends = await (kind === 'ring' ? ringEnds : tcpEnds)(run, slot, peer);
  const gate = slot.createGate({ taskName: 'sink', inputs: [{ inputIndex: 0, type: typeNamed(run.records), endpoints: ends.inputs }] });
  const { records, partitioning } = run;
  const workerData = { doorbell: peer.shared, endpoints: ends.outputs, partitioning, records, count: COUNT };
  const worker = new Worker(new URL('../../test/exchange/ring-source.js', import.meta.url), { workerData });
  const before = process.cpuUsage();
  const { rate, sleeps } = await readAll(slot, gate);
  const cpu = process.cpuUsage(before);
  const cpuNs = ((cpu.user + cpu.system) * 1000) / COUNT; // Of all threads: steady when the machine is shared.
  const bytes = (gate.bytesIn / COUNT).toFixed(1);
  console.log(`${kind} ${run.channels}  ${records.padEnd(10)} ${partitioning.padEnd(9)} ${rate.toFixed(1)} M rec/s  ${cpuNs.toFixed(0)} ns CPU/rec  ${bytes} B/rec  ${sleeps} sleeps`);
  await worker.terminate();
  await ends.close();
}

/** Reads as a slot loop does: until nothing is left or a turn is over, then sleeps or lets the sockets work. */
async function readAll(slot: SlotChannels, gate: InputGate): Promise<{ rate: number; sleeps: number }> {
  const batch = { values: [] as unknown[], timestampsMs: [] as number[], length: 0, capacity: BATCH };
  let [startedMs, readCount, warmCount, sleeps, polls] = [0, 0, 0, 0, 0];
  for (;;) {
    const seen = slot.doorbell.value();
    const result = gate.poll(batch);
    if (result === 'end') break;
    if (result === 'records') readCount += batch.length;
    if (result === 'nothing') {
      sleeps++;
      await slot.doorbell.changed(seen);
    } else if (++polls % POLLS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    if (startedMs === 0 && readCount > COUNT / 5) [startedMs, warmCount, sleeps] = [systemPorts.clock.monotonicMs(), readCount, 0];
  }
  return { rate: (COUNT - warmCount) / (systemPorts.clock.monotonicMs() - startedMs) / 1000, sleeps };
}

for (const kind of ['ring', 'tcp'] as const) {
  for (const records of ['string', 'number', 'row', 'anyString', 'anyNumber', 'anyObject'] as const) {
    await measure(kind, { records, partitioning: 'rebalance', channels: 1 });
  }
  await measure(kind, { records: 'anyObject', partitioning: 'hash', channels: 2 });
}
