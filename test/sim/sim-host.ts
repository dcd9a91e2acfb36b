/** One simulated host: a process that can be killed takes its timers and its connections with it. */
import type { Clock, Ports } from '../../src/base/ports.ts';
import type { RpcTransport } from '../../src/rpc/transport.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimNetwork } from './sim-network.ts';
import type { VirtualClock } from './virtual-time.ts';

export class SimHost {
  readonly name: string;
  readonly ports: Ports;
  readonly transport: RpcTransport;
  private readonly network: SimNetwork;
  private isAlive = true;

  constructor(name: string, parts: { readonly clock: VirtualClock; readonly random: SeededRandom; readonly network: SimNetwork }) {
    const { clock, random, network } = parts;
    const whileAlive = (callback: () => void) => () => {
      if (this.isAlive) callback();
    };
    const hostClock: Clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, whileAlive(callback)),
      every: (intervalMs, callback) => clock.every(intervalMs, whileAlive(callback)),
    };
    const wire = network.transport(name);
    this.name = name;
    this.network = network;
    this.ports = { clock: hostClock, random };
    this.transport = {
      listen: (address, onConnection) => wire.listen(address, onConnection),
      connect: async (address, timeoutMs) => {
        const connection = await wire.connect(address, timeoutMs);
        if (this.isAlive) return connection;
        connection.close('the process was killed');
        return new Promise(() => undefined); // Nobody is left to hear of it.
      },
    };
  }

  kill(): void {
    this.isAlive = false;
    this.network.kill(this.name);
  }
}
