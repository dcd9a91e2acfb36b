/** Finished jobs, kept for a while so that they can be shown: bounded by age and by size. Flink: `jobstore.*`. */
import type { JobMaster } from '../jobmaster/job-master.ts';
import type { JobDetails } from '../jobmaster/job-details.ts';
import type { JobId } from '../protocol/ids.ts';
import type { JobResult } from '../protocol/job-result.ts';

export interface JobArchiveOptions {
  /** `jobstore.expiration-time`. */
  readonly expirationMs: number;
  /** `jobstore.cache-size`; measured as JSON. */
  readonly sizeBytesMax: number;
  /** `jobstore.max-capacity`. */
  readonly jobsMax: number;
}

/** A job that is over. Its JobMaster stays for collected results that nobody has fetched yet. */
export interface ArchivedJob {
  readonly details: JobDetails;
  readonly result: JobResult;
  readonly lastModificationMs: number;
  readonly jobMaster: JobMaster;
}

interface Entry {
  readonly job: ArchivedJob;
  readonly sizeBytes: number;
}

export class JobArchive {
  private readonly options: JobArchiveOptions;
  private readonly entries = new Map<JobId, Entry>(); // Oldest first.
  private sizeBytes = 0;

  constructor(options: JobArchiveOptions) {
    this.options = options;
  }

  add(job: ArchivedJob, nowMs: number): void {
    const sizeBytes = JSON.stringify(job.details).length;
    this.entries.set(job.details.jobId, { job, sizeBytes });
    this.sizeBytes += sizeBytes;
    this.evict(nowMs);
  }

  get(jobId: JobId, nowMs: number): ArchivedJob | null {
    this.evict(nowMs);
    return this.entries.get(jobId)?.job ?? null;
  }

  /** Newest first. */
  jobs(nowMs: number): readonly ArchivedJob[] {
    this.evict(nowMs);
    return [...this.entries.values()].map(({ job }) => job).toReversed();
  }

  /** Drops what is too old, then the oldest while there is too much; the newest stays. */
  private evict(nowMs: number): void {
    for (const [jobId, { job, sizeBytes }] of this.entries) {
      const isExpired = nowMs - job.details.endTimeMs > this.options.expirationMs;
      const isTooMuch = this.sizeBytes > this.options.sizeBytesMax || this.entries.size > this.options.jobsMax;
      if (!isExpired && (!isTooMuch || this.entries.size === 1)) return;
      this.entries.delete(jobId);
      this.sizeBytes -= sizeBytes;
      void job.jobMaster.close();
    }
  }
}
