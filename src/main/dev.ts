/**
 * `flink dev [options] job.ts [arguments]`: the whole cluster in this process, REST included, and the job
 * started again whenever one of its files is saved. Types are always checked.
 *
 * Slots are worker threads, as in production; `node --inspect` reaches them, and breakpoints in the user's
 * files hit, because the bundle's source map names them by their full path.
 */
import { watch } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { systemPorts } from '../base/system-ports.ts';
import { bundleJob, type JobBundle } from '../client/bundle.ts';
import { failureText } from '../client/failure.ts';
import type { ProgramCommand } from '../client/run-action.ts';
import { typecheck } from '../client/typecheck.ts';
import { ClusterError, errorFromInfo } from '../protocol/errors.ts';
import type { JobId } from '../protocol/ids.ts';
import { isGloballyTerminal } from '../protocol/states.ts';
import type { MiniCluster } from '../testing/mini-cluster.ts';
import { startProcessCluster } from './process-cluster.ts';

const SLOTS_MIN = 4;
const REST_PORTS = [8081, 8082, 8083, 8084, 8085, 0];
/** Editors write a file in several steps; a restart waits until they are done. */
const SETTLE_MS = 100;
const RESULT_WAIT_MS = 60_000;
/** A job that does not end in time is left behind in its slots. */
const CANCEL_WAIT_MS = 10_000;

const say = (text: string): unknown => process.stderr.write(`${text}\n`);

/** One program under development: its job, over its restarts. */
class DevSession {
  private readonly cluster: MiniCluster;
  private readonly program: ProgramCommand;
  private readonly files = new Set<string>();
  private jobId: JobId | null = null;

  constructor(cluster: MiniCluster, program: ProgramCommand) {
    this.cluster = cluster;
    this.program = program;
    this.files.add(resolve(program.file));
  }

  /** Runs the job anew at every save, for ever. */
  async run(): Promise<never> {
    for (;;) {
      const changed = this.nextChange(); // Watched from here on: a save during the start counts.
      await this.start();
      say(`Changed: ${await changed}`);
      await this.stop();
    }
  }

  /** Cancels the job that runs and waits for its end. */
  async stop(): Promise<void> {
    const { jobId } = this;
    this.jobId = null;
    const { gateway } = this.cluster;
    if (jobId === null || isGloballyTerminal(gateway.job(jobId).status)) return;
    await gateway.cancelJob(jobId);
    await gateway.jobResult(jobId, CANCEL_WAIT_MS);
  }

  /** Problems are shown, not thrown: the next save may fix them. */
  private async start(): Promise<void> {
    try {
      const bundle = await this.bundle();
      const { gateway } = this.cluster;
      const { programArgs, configuration, parallelism } = this.program;
      const parallel = parallelism === null ? {} : { 'parallelism.default': String(parallelism) };
      const artifactId = await gateway.putArtifact(bundle.code);
      const jobId = await gateway.submitProgram({
        artifactId,
        programArgs,
        configuration: { ...configuration, ...parallel },
        jobId: null,
        expectedPlanDigest: null,
      });
      this.jobId = jobId;
      say(`Job has been submitted with JobID ${jobId}`);
      this.reportEnd(jobId);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      say(failureText(error));
    }
  }

  private async bundle(): Promise<JobBundle> {
    const { file, external } = this.program;
    const bundle = await bundleJob(file, { external, absoluteSources: true });
    for (const source of bundle.sourceFiles) this.files.add(source);
    for (const warning of bundle.warnings) say(`[WARN] ${warning}`);
    const types = await typecheck(file);
    if (types.kind === 'failed') throw new ClusterError('PROGRAM_INVALID', `${file} has type errors:\n${types.errors.join('\n')}`);
    if (types.kind === 'skipped') say(`[WARN] ${types.reason}`);
    return bundle;
  }

  private reportEnd(jobId: JobId): void {
    const report = async (): Promise<void> => {
      for (;;) {
        const result = await this.cluster.gateway.jobResult(jobId, RESULT_WAIT_MS);
        if (result === null) continue;
        const runtimeMs = result.endTimeMs - result.startTimeMs;
        say(`Job ${jobId} ${result.status} after ${runtimeMs} ms. Save a file to run it again, Ctrl-C to end.`);
        if (result.error) say(failureText(errorFromInfo(result.error)));
        return;
      }
    };
    report().catch((error: unknown) => say(failureText(error)));
  }

  /** Resolves with the name of the next file of the job that is saved. Directories are watched: editors replace files. */
  private nextChange(): Promise<string> {
    const { clock } = systemPorts;
    return new Promise((changed) => {
      const directories = new Set([...this.files].map((file) => dirname(file)));
      const watchers = [...directories].map((directory) =>
        watch(directory, (_event, name) => {
          if (name === null || !this.concerns(join(directory, name))) return;
          for (const watcher of watchers) watcher.close();
          clock.after(SETTLE_MS, () => changed(basename(name)));
        }),
      );
    });
  }

  /** Until a bundle was made its files are unknown: then every module beside the job's counts. */
  private concerns(path: string): boolean {
    return this.files.size > 1 ? this.files.has(path) : /\.[cm]?[jt]s$|\.json$/.test(path);
  }
}

/** Runs the program until the process is interrupted. Throws what keeps the cluster from starting. */
export async function develop(program: ProgramCommand): Promise<never> {
  const slots = Math.max(SLOTS_MIN, program.parallelism ?? 1);
  const { cluster, rest, close } = await startProcessCluster({ slots, configuration: program.configuration, restPorts: REST_PORTS });
  const session = new DevSession(cluster, program);
  process.once('SIGINT', () => {
    void end().finally(() => process.exit(0));
  });
  const end = async (): Promise<void> => {
    await session.stop();
    await close();
  };
  say(`Cluster with ${slots} slots: ${rest.address}`);
  return session.run();
}
