/** What a barrier meets on its way through a task, in the order in which it comes to pass. */
import type { BarrierEvent, RecordWriter } from '../exchange/contract.ts';
import type { StreamOperator } from '../operators/operator.ts';

/** Hears of each station. Never throws: what fails declines the checkpoint, and the barrier goes on. */
export interface BarrierPassage {
  /** It enters the first segment: the source's position is now. */
  onEntry(barrier: BarrierEvent): void;
  /** It has passed an operator: whatever came before has been worked off there. */
  onOperator(operator: StreamOperator, barrier: BarrierEvent): void;
  /** It has gone to an output. */
  onOutput(writer: RecordWriter, barrier: BarrierEvent): void;
  /** Whether it need not wait for room in the outputs. */
  overtakes(barrier: BarrierEvent): boolean;
  /** It has passed a segment, and is on its way in the segment's outputs. */
  onSegment(barrier: BarrierEvent): void;
}
