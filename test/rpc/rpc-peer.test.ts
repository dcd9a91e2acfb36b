/** One RPC connection: calls, deadlines, fencing, and what a hostile peer can do to it. */
import test from 'ava';
import fc from 'fast-check';
import { silentLoggers } from '../../src/base/log.ts';
import { systemPorts } from '../../src/base/system-ports.ts';
import { FRAME_KINDS, frameCodec } from '../../src/protocol/control.ts';
import { ClusterError } from '../../src/protocol/errors.ts';
import type { Epoch } from '../../src/protocol/ids.ts';
import { FollowerFence, LeaderFence, type EpochMemory } from '../../src/rpc/fencing.core.ts';
import { memoryPair } from '../../src/rpc/memory-transport.ts';
import { RpcPeer, type Handlers } from '../../src/rpc/rpc-peer.ts';
import type { Connection } from '../../src/rpc/transport.ts';

const { clock } = systemPorts;
const term = (epoch: number, incarnation = 'a') => ({ epoch: epoch as Epoch, incarnation });
const registration = { descriptionJson: new Uint8Array(), slotsJson: new Uint8Array(), executionsJson: new Uint8Array(), highestEpoch: 0 };
const registered = { instanceId: 'i', resourceManagerId: 'r', heartbeatIntervalMs: 2000, heartbeatTimeoutMs: 6000 };

function peer(connection: Connection, fence: LeaderFence | FollowerFence, handlers: Handlers = {}, onClose: (reason: string) => void = () => undefined): RpcPeer {
  return new RpcPeer({ connection, clock, log: silentLoggers.logger('rpc'), fence, handlers, onHeard: () => undefined, onClose });
}

function pair(handlers: { leader?: Handlers; follower?: Handlers } = {}, epoch = 1, memory: EpochMemory = { highestEpoch: 0 as Epoch }) {
  const [near, far] = memoryPair('leader');
  const leader = peer(far, new LeaderFence(term(epoch)), { registerTaskManager: () => registered, ...handlers.leader });
  const follower = peer(near, new FollowerFence(memory), handlers.follower);
  return { leader, follower, near, far };
}

test('Calls go both ways over one connection once the follower is registered', async (t) => {
  const freed: string[] = [];
  const { leader, follower } = pair({ follower: { freeSlot: ({ allocation }) => (freed.push(allocation), {}) } });
  t.like(await follower.call('registerTaskManager', registration, 1000), registered);
  await leader.call('freeSlot', { job: 'j', allocation: 'x', reason: '' }, 1000);
  t.deepEqual(freed, ['x']);
});

test('A fault keeps its code and its text', async (t) => {
  const { leader, follower } = pair({ follower: { freeSlot: () => { throw new ClusterError('SLOT_LOST', 'no such slot'); } } });
  await follower.call('registerTaskManager', registration, 1000);
  const error = await t.throwsAsync<ClusterError>(leader.call('freeSlot', { job: 'j', allocation: 'x', reason: '' }, 1000));
  t.is(error.code, 'SLOT_LOST');
  t.is(error.message, 'no such slot');
});

test('A call that is not answered ends at its deadline, and the late answer is dropped and counted', async (t) => {
  let answer: (value: Record<never, never>) => void = () => undefined;
  const { leader, follower } = pair({ follower: { freeSlot: () => new Promise((resolve) => (answer = resolve)) } });
  await follower.call('registerTaskManager', registration, 1000);
  const error = await t.throwsAsync<ClusterError>(leader.call('freeSlot', { job: 'j', allocation: 'x', reason: '' }, 5));
  t.is(error.code, 'DEADLINE_EXCEEDED');
  answer({});
  await new Promise((resolve) => setImmediate(resolve));
  t.is(leader.dropped.late, 1);
});

test('Calls in flight fail when the connection closes', async (t) => {
  const { leader, follower, far } = pair({ follower: { freeSlot: () => new Promise(() => undefined) } });
  await follower.call('registerTaskManager', registration, 1000);
  const call = leader.call('freeSlot', { job: 'j', allocation: 'x', reason: '' }, 10_000);
  far.close('cut');
  t.is((await t.throwsAsync<ClusterError>(call)).code, 'CONNECTION_LOST');
});

test('A follower that obeyed epoch 3 refuses epoch 2, whatever it asks', async (t) => {
  const memory: EpochMemory = { highestEpoch: 0 as Epoch };
  const newer = pair({}, 3, memory);
  await newer.follower.call('registerTaskManager', registration, 1000);
  let obeyed = false;
  const older = pair({ follower: { freeSlot: () => ((obeyed = true), {}) } }, 2, memory);
  await t.throwsAsync(older.leader.call('freeSlot', { job: 'j', allocation: 'x', reason: '' }, 20));
  t.false(obeyed);
  t.is(older.follower.dropped.fenced, 1);
});

test('A leader refuses frames of another incarnation of the same epoch', async (t) => {
  const [near, far] = memoryPair('leader');
  let heard = 0;
  const leader = peer(far, new LeaderFence(term(1, 'present')), { heartbeat: () => ((heard += 1), {}) });
  const stale = { version: 1, kind: FRAME_KINDS.notify, epoch: 1, incarnation: 'past', call: 0, method: 'heartbeat', deadlineMs: 0, body: new Uint8Array() };
  near.start({ onMessage: () => undefined, onClose: () => undefined });
  near.send(frameCodec.encode(stale));
  near.send(frameCodec.encode({ ...stale, incarnation: 'present' }));
  await new Promise((resolve) => setImmediate(resolve));
  t.is(heard, 1);
  t.is(leader.dropped.fenced, 1);
});

test('An unknown method is answered, an unknown notification closes the connection', async (t) => {
  const [near, far] = memoryPair('leader');
  const closed: string[] = [];
  peer(far, new LeaderFence(term(1)), {}, (reason) => closed.push(reason));
  const answers: number[] = [];
  near.start({ onMessage: (bytes) => answers.push(frameCodec.decode(bytes).kind), onClose: () => undefined });
  const frame = { version: 1, kind: FRAME_KINDS.request, epoch: 1, incarnation: 'a', call: 1, method: 'toString', deadlineMs: 0, body: new Uint8Array() };
  near.send(frameCodec.encode(frame));
  near.send(frameCodec.encode({ ...frame, kind: FRAME_KINDS.notify }));
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(answers, [FRAME_KINDS.fault]);
  t.is(closed.length, 1);
});

test('Garbage closes its connection and never reaches a handler or an exception', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const [near, far] = memoryPair('leader');
      const closed: string[] = [];
      const fail = (): never => t.fail() as never;
      peer(far, new LeaderFence(term(1)), { freeSlot: fail, heartbeat: fail, taskStateChanged: fail }, (reason) => closed.push(reason));
      near.start({ onMessage: () => undefined, onClose: () => undefined });
      near.send(bytes);
      await new Promise((resolve) => setImmediate(resolve));
      t.is(closed.length, 1);
    }),
    { numRuns: 200 },
  );
});
