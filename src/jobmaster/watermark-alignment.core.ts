/**
 * Aligns the sources of a group: each says how far it is, and hears how far it may go, the slowest plus the drift.
 *
 *     source A: 900   source B: 100   drift 300   ─► A pauses until B is at 600
 *
 * A subtask that has said nothing yet is not waited for; one that is gone is forgotten.
 *
 * Source: Flink `SourceCoordinator.announceCombinedWatermark`.
 */
import { MAX_WATERMARK } from '../graph/functions.ts';

/** How far one subtask is. */
export interface WatermarkReport {
  readonly nodeId: number;
  readonly subtaskIndex: number;
  readonly group: string;
  readonly timestampMs: number;
  readonly driftMsMax: number;
}

/** The alignment groups of a job. */
export class WatermarkAlignment {
  private readonly reports = new Map<string, WatermarkReport>();

  /** Answers the greatest watermark at which the subtask may go on. */
  report(report: WatermarkReport): number {
    this.reports.set(`${report.nodeId}/${report.subtaskIndex}`, report);
    let leastMs = MAX_WATERMARK;
    for (const { group, timestampMs } of this.reports.values()) if (group === report.group) leastMs = Math.min(leastMs, timestampMs);
    return Math.min(leastMs + report.driftMsMax, MAX_WATERMARK);
  }

  /** The subtask is gone; all of the operator are when no `subtaskIndex` is given. */
  forget(nodeId: number, subtaskIndex?: number): void {
    for (const [key, report] of this.reports) {
      if (report.nodeId === nodeId && (subtaskIndex === undefined || report.subtaskIndex === subtaskIndex)) this.reports.delete(key);
    }
  }
}
