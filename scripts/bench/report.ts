/** The results of a benchmark run: per-round figures to ratios with their spread, as a table, JSON rows and a page. */

/** What one round measured. */
export interface Round {
  readonly drey: number;
  readonly flink: number;
}

/** What is compared, and which way is better. */
export interface Measure {
  readonly workload: string;
  readonly parallelism: number;
  /** `M rec/s` and `M words/s` are better when higher, `s` and `MB` when lower. */
  readonly unit: 'M rec/s' | 'M words/s' | 's' | 'MB';
  /** The least ratio that is good enough. */
  readonly bar: number;
}

/** One row of `--json`. `ratio` above 1: Drey is ahead. `drey` and `flink` are medians. */
export interface Row {
  readonly workload: string;
  readonly parallelism: number;
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  readonly drey: number;
  readonly flink: number;
  readonly unit: string;
  readonly rounds: number;
  readonly bar: number;
}

/** What a reader must know to judge the figures. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly java: string;
  readonly flink: string;
  readonly date: string;
}

/** Condenses the rounds of a workload. */
export function rowOf(measure: Measure, rounds: readonly Round[]): Row {
  const isHigherBetter = measure.unit === 'M rec/s' || measure.unit === 'M words/s';
  const ratios = rounds.map(({ drey, flink }) => (isHigherBetter ? drey / flink : flink / drey));
  return {
    workload: measure.workload,
    parallelism: measure.parallelism,
    ratio: rounded(median(ratios)),
    ratioMin: rounded(Math.min(...ratios)),
    ratioMax: rounded(Math.max(...ratios)),
    drey: rounded(median(rounds.map(({ drey }) => drey))),
    flink: rounded(median(rounds.map(({ flink }) => flink))),
    unit: measure.unit,
    rounds: rounds.length,
    bar: measure.bar,
  };
}

/** Middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/** Rows as a Markdown table, which reads well on a terminal too. */
export function table(rows: readonly Row[]): string {
  const header = ['workload', 'p', 'ratio', 'min..max', 'bar', 'Drey', 'Flink', 'unit', 'rounds'];
  const cells = rows.map((row) => [
    row.workload,
    String(row.parallelism),
    row.ratio.toFixed(2),
    `${row.ratioMin.toFixed(2)}..${row.ratioMax.toFixed(2)}`,
    `${row.bar.toFixed(1)} ${row.ratio >= row.bar ? 'met' : 'MISSED'}`,
    String(row.drey),
    String(row.flink),
    row.unit,
    String(row.rounds),
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.map(line)].join('\n');
}

/** The whole of docs/performance.md. */
export function performancePage(rows: readonly Row[], machine: Machine): string {
  return `# Performance

Drey against Apache Flink ${machine.flink} on the same machine in the same run, as ratios: above 1, Drey is ahead. Both clusters are up and warm,
each round runs the job on one and then on the other, and their outputs are compared record for record by count and hash.

${table(rows)}

- Machine: ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB; Node.js ${machine.node}; ${machine.java}. Date: ${machine.date}.
- Flink: 1 GiB heaps, 4 slots, \`pipeline.object-reuse: true\`, G1, INFO log. Drey: its defaults with 4 slots.
- Rates come from the job's own \`duration\` in \`/jobs/:id\`, the same way for both, so they include deployment and, for Drey, warming the
  code of a fresh slot.
- \`chain\`: 200 M integers through map, filter, map. \`wordcount\`: 135 MB of Zipf text, 20 M words, 50 k distinct, the shipped example.
  \`keyed-…\`: 20 M integers to a running count for each of 100 k or 1 M keys; \`-tcp\`: over two TaskManager processes.
- \`start\`: from starting the processes until all slots have registered. Flink's processes are started side by side without its
  scripts' own helper JVMs. \`submit\`: the whole of \`flink run -d\` of a small job. \`memory\`: JobManager and TaskManager with 4 slots at rest.

Run it: \`npm run bench:flink -- --rounds 5 --write-docs\`. One workload: \`--only keyed-100k\`. A quick look: \`--scale 0.05\`.
`;
}
