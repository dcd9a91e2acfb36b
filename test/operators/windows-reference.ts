/**
 * Windows and joins said over again in the plainest way: after every step everything is looked at, nothing is indexed,
 * and no timer is kept. What an operator puts out in a step must be the same records, in any order.
 */
import { MAX_WATERMARK, NO_TIMESTAMP, type TimeWindow } from '../../src/index.ts';

export type Step =
  | { readonly kind: 'record'; readonly input: 0 | 1; readonly key: string; readonly ms: number; readonly value: number }
  | { readonly kind: 'watermark'; readonly ms: number };

export interface Settings {
  readonly latenessMs: number;
  /** The windows of a record alone. */
  windowsOf(ms: number, value: number): readonly TimeWindow[];
  readonly merges: boolean;
}

interface Pane {
  readonly key: string;
  window: TimeWindow;
  readonly records: (Step & { kind: 'record' })[];
}

/** What one step puts out. */
export interface StepOutput {
  /** `key [start,end) values`, values in the order of arrival. */
  readonly fired: string[];
  readonly late: number[];
}

export type Show = (key: string, window: TimeWindow, records: readonly (Step & { kind: 'record' })[]) => readonly string[];

/** All windows that hold `ms`, found by trying every start. */
export function scanned(ms: number, sizeMs: number, slideMs: number, offsetMs: number): readonly TimeWindow[] {
  const windows: TimeWindow[] = [];
  for (let startMs = ms - sizeMs + 1; startMs <= ms; startMs++) {
    if ((startMs - offsetMs) % slideMs === 0) windows.push({ startMs, endMs: startMs + sizeMs });
  }
  return windows;
}

/** Windows with the default trigger, step by step. */
export function referenceWindows(steps: readonly Step[], settings: Settings, show: Show): readonly StepOutput[] {
  let watermarkMs = NO_TIMESTAMP;
  let panes: Pane[] = [];
  const isGone = (window: TimeWindow): boolean => window.endMs - 1 + settings.latenessMs <= watermarkMs;

  const enter = (record: Step & { kind: 'record' }): StepOutput => {
    const touched: Pane[] = [];
    for (const window of settings.windowsOf(record.ms, record.value)) {
      const pane = settings.merges ? mergedPane(record.key, window) : plainPane(record.key, window);
      if (isGone(pane.window)) continue;
      if (!panes.includes(pane)) panes.push(pane);
      pane.records.push(record);
      touched.push(pane);
    }
    const isLate = touched.length === 0 && record.ms + settings.latenessMs <= watermarkMs;
    const firing = touched.filter(({ window }) => window.endMs - 1 <= watermarkMs);
    return { fired: firing.flatMap((pane) => show(pane.key, pane.window, pane.records)), late: isLate ? [record.value] : [] };
  };

  const plainPane = (key: string, window: TimeWindow): Pane => {
    const known = panes.find((pane) => pane.key === key && pane.window.startMs === window.startMs && pane.window.endMs === window.endMs);
    return known ?? { key, window, records: [] };
  };

  const mergedPane = (key: string, window: TimeWindow): Pane => {
    const touching = panes.filter((pane) => pane.key === key && pane.window.startMs <= window.endMs && pane.window.endMs >= window.startMs);
    panes = panes.filter((pane) => !touching.includes(pane));
    const bounds = [window, ...touching.map((pane) => pane.window)];
    return {
      key,
      window: { startMs: Math.min(...bounds.map(({ startMs }) => startMs)), endMs: Math.max(...bounds.map(({ endMs }) => endMs)) },
      records: touching.flatMap(({ records }) => records),
    };
  };

  const advance = (ms: number): StepOutput => {
    const beforeMs = watermarkMs;
    watermarkMs = Math.max(watermarkMs, ms);
    const due = panes.filter(({ window }) => window.endMs - 1 > beforeMs && window.endMs - 1 <= watermarkMs);
    panes = panes.filter(({ window }) => !isGone(window));
    return { fired: due.flatMap((pane) => show(pane.key, pane.window, pane.records)), late: [] };
  };

  const all: readonly Step[] = [...steps, { kind: 'watermark', ms: MAX_WATERMARK }];
  return all.map((step) => (step.kind === 'record' ? enter(step) : advance(step.ms)));
}

/** Every pair of records that were not late and whose times are near. */
export function referenceIntervalJoin(steps: readonly Step[], lowerMs: number, upperMs: number): readonly StepOutput[] {
  let watermarkMs = NO_TIMESTAMP;
  const inTime: (Step & { kind: 'record' })[] = [];
  return steps.map((step) => {
    if (step.kind === 'watermark') {
      watermarkMs = Math.max(watermarkMs, step.ms);
      return { fired: [], late: [] };
    }
    if (step.ms < watermarkMs) return { fired: [], late: [step.value] };
    const partners = inTime.filter(({ key, input }) => key === step.key && input !== step.input);
    inTime.push(step);
    const pairs = partners.map((other) => (step.input === 0 ? { left: step, right: other } : { left: other, right: step }));
    const near = pairs.filter(({ left, right }) => right.ms >= left.ms + lowerMs && right.ms <= left.ms + upperMs);
    return { fired: near.map(({ left, right }) => `${left.value}-${right.value}`), late: [] };
  });
}
