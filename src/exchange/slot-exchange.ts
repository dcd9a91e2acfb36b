/**
 * The exchange of one slot: makes writers and gates from the endpoints of a deployment, and joins the two
 * ends of channels that stay within the slot.
 */
import type { Logger } from '../base/log.ts';
import { assert } from '../base/assert.ts';
import { GenericCodec } from '../types/generic.ts';
import type { TypeDescriptor } from '../types/type-descriptor.ts';
import type { Inlet, Outlet } from './channel.ts';
import { ChannelDecoder } from './channel-decoder.ts';
import { ChannelEncoder } from './channel-encoder.ts';
import type { ChannelCodec, ChannelEndpoint, GateOptions, InputGate, RecordWriter, SlotExchange, WriterOptions } from './contract.ts';
import { Doorbell } from './doorbell.ts';
import { FairInputGate, type GateChannel } from './input-gate.ts';
import { LocalInlet, LocalOutlet, LocalQueue } from './local-channel.ts';
import { writerFor } from './record-writer.ts';
import { RingConsumer, RingProducer } from './ring.ts';

type LocalEndpoint = Extract<ChannelEndpoint, { kind: 'local' }>;

/** Both ends of a local channel, until both are made. */
interface Meeting {
  readonly queue: LocalQueue;
  ends: number;
}

/** See `SlotExchange`. One per slot. */
export class SlotChannels implements SlotExchange {
  readonly doorbell: Doorbell;
  private readonly log: Logger;
  /** Local channels of which one end is made, by generation and channel id. */
  private readonly meetings = new Map<string, Meeting>();

  /** `doorbell`: the slot's, see `SlotDoorbells`. */
  constructor(log: Logger, doorbell?: SharedArrayBuffer) {
    this.log = log;
    this.doorbell = new Doorbell(doorbell);
  }

  createWriter(options: WriterOptions): RecordWriter {
    const crossesThreads = options.endpoints.some((endpoint) => endpoint.kind === 'ring');
    if (options.type === null && crossesThreads) {
      this.log.info(`${options.taskName} writes records of an undeclared type; a declared one (t.object({ … })) is faster and checked`);
    }
    return writerFor(options, options.endpoints.map((endpoint) => this.outlet(endpoint, options)));
  }

  createGate(options: GateOptions): InputGate {
    const channels = options.inputs.flatMap((input) =>
      input.endpoints.map((endpoint): GateChannel => ({
        inlet: this.inlet(endpoint, input.type),
        inputIndex: input.inputIndex,
        channelId: endpoint.channelId,
      })));
    return new FairInputGate(options.taskName, channels);
  }

  private outlet(endpoint: ChannelEndpoint, options: WriterOptions): Outlet {
    const { taskName, status, type } = options;
    if (endpoint.kind === 'local') return new LocalOutlet(this.meet(endpoint), { taskName, status, copy: copyOf(type) });
    const ring = new RingProducer(endpoint.ring, new Doorbell(endpoint.doorbell));
    const { channelId, generation } = endpoint;
    return new ChannelEncoder(ring, { taskName, status, channelId, generation, codec: channelCodec(type), isRemote: endpoint.isRemote });
  }

  private inlet(endpoint: ChannelEndpoint, type: TypeDescriptor<unknown> | null): Inlet {
    if (endpoint.kind === 'local') return new LocalInlet(this.meet(endpoint), () => channelCodec(type));
    const ring = new RingConsumer(endpoint.ring, new Doorbell(endpoint.doorbell));
    return new ChannelDecoder(ring, channelCodec(type), endpoint.generation);
  }

  private meet(endpoint: LocalEndpoint): LocalQueue {
    const name = `${endpoint.generation}/${endpoint.channelId}`;
    const meeting = this.meetings.get(name) ?? { queue: new LocalQueue(this.doorbell), ends: 0 };
    meeting.ends++;
    assert(meeting.ends <= 2, 'a channel has two ends');
    if (meeting.ends === 2) this.meetings.delete(name);
    else this.meetings.set(name, meeting);
    return meeting.queue;
  }
}

/** The fallback codec learns, so each end of each channel has its own. */
export function channelCodec(type: TypeDescriptor<unknown> | null): ChannelCodec {
  return type === null ? new GenericCodec() : type.codec();
}

/** Null when records of `type` cannot change. */
function copyOf(type: TypeDescriptor<unknown> | null): ((value: unknown) => unknown) | null {
  if (type?.immutable) return null;
  const codec = channelCodec(type);
  return (value) => codec.copy(value);
}
