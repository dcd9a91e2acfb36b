/** `drey/testing`: tools for testing jobs. */
export { MiniCluster } from './mini-cluster.ts';
export type { MiniClusterOptions } from './mini-cluster.ts';
export { MiniClusterJob } from './mini-cluster-job.ts';
export type { JobExecutionResult, SavepointOptions, StopOptions } from './mini-cluster-job.ts';
export { OperatorHarness } from './operator-harness.ts';
export type { OperatorHarnessOptions, OutputRecord } from './operator-harness.ts';
export type { HarnessSnapshot } from './harness-snapshot.ts';
export { TestClock } from './test-clock.ts';
