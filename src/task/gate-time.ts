/**
 * The time of a gate: the watermarks and statuses of all its channels as those of one stream.
 *
 *     channels of input 0 ─► valve ─┐
 *     channels of input 1 ─► valve ─┴► the lesser of the two inputs
 *
 * The channels of one input are alike, those of a union included; two inputs are not, and each is waited for.
 */
import { CombinedWatermark } from '../exchange/combined-watermark.core.ts';
import type { StreamEvent } from '../exchange/contract.ts';
import { WatermarkValve } from '../exchange/watermark-valve.core.ts';
import type { ValveOutput } from '../exchange/watermark-valve.core.ts';

interface Place {
  readonly inputIndex: 0 | 1;
  readonly valve: WatermarkValve;
  /** Index of the channel within its input. */
  readonly index: number;
}

/** See the file's head. */
export class GateTime {
  private readonly places: readonly Place[];
  /** Null when there is one input. */
  private readonly inputs: CombinedWatermark<0 | 1> | null;

  /** `inputOf`: the input of each channel. */
  constructor(inputOf: readonly (0 | 1)[]) {
    const counts = [0, 1].map((inputIndex) => inputOf.filter((each) => each === inputIndex).length);
    const valves = counts.map((count) => new WatermarkValve(count));
    const seen = [0, 0];
    this.places = inputOf.map((inputIndex) => {
      const index = seen[inputIndex] as number;
      seen[inputIndex] = index + 1;
      return { inputIndex, valve: valves[inputIndex] as WatermarkValve, index };
    });
    this.inputs = counts.every((count) => count > 0) ? new CombinedWatermark() : null;
    for (const inputIndex of [0, 1] as const) this.inputs?.add(inputIndex);
  }

  /** The events of the gate's stream that one of a channel brings about. */
  on(channelIndex: number, event: StreamEvent & { readonly kind: 'watermark' | 'status' }): readonly StreamEvent[] {
    const { inputIndex, valve, index } = this.places[channelIndex] as Place;
    const outputs = event.kind === 'watermark' ? valve.onWatermark(index, event.timestampMs) : valve.onStatus(index, event.idle);
    const { inputs } = this;
    return inputs === null ? outputs : outputs.flatMap((output) => onInput(inputs, inputIndex, output));
  }
}

function onInput(inputs: CombinedWatermark<0 | 1>, inputIndex: 0 | 1, output: ValveOutput): readonly ValveOutput[] {
  return output.kind === 'watermark' ? inputs.onWatermark(inputIndex, output.timestampMs) : inputs.onStatus(inputIndex, output.idle);
}
