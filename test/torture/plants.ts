/** Planted bugs: each takes one promise out of exactly-once, and the torture must notice. */
import { BarrierAligner, type Barrier } from '../../src/exchange/barrier-aligner.core.ts';
import { HeapTimerService } from '../../src/state/timer-service.ts';

/** A planted bug, while it is planted. */
export interface Plant {
  /** The sink commits before the checkpoint completes. */
  readonly commitsEarly: boolean;
  mend(): void;
}

function replace<T extends object, N extends keyof T>(prototype: T, name: N, broken: T[N]): Plant {
  const sound = prototype[name];
  prototype[name] = broken;
  return { commitsEarly: false, mend: () => void (prototype[name] = sound) };
}

/** By name. */
export const PLANTS: Readonly<Record<string, () => Plant>> = {
  'commit-early': () => ({ commitsEarly: true, mend: () => undefined }),
  /** A barrier holds nothing back: what follows it on its channel is read while others are still due. */
  'dropped-barrier': () => {
    const sound: BarrierAligner<Barrier>['onBarrier'] = Reflect.get(BarrierAligner.prototype, 'onBarrier');
    return replace(BarrierAligner.prototype, 'onBarrier', function (this: BarrierAligner<Barrier>, channelIndex, barrier) {
      return sound.call(this, channelIndex, barrier, false);
    });
  },
  'timer-not-restored': () => replace(HeapTimerService.prototype, 'restore', () => undefined),
};
