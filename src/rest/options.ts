/** What the REST endpoint is started with; parsed by main from the configuration, units resolved. */
import type { LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';

/** Options of `RestServer.start`. */
export interface RestOptions {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  /** `rest.bind-address`. */
  readonly bindAddress: string;
  /** `rest.bind-port`, or `rest.port`: tried in order, the first free one wins; 0 is any free port. */
  readonly portCandidates: readonly number[];
  /** `rest.address`: what others are told. */
  readonly advertisedAddress: string;
  /** `web.upload.dir`. */
  readonly uploadDirectory: string;
  /** `web.submit.enable`: without it the routes of `/jars` do not exist. */
  readonly submitEnabled: boolean;
  /** `web.cancel.enable`. */
  readonly cancelEnabled: boolean;
  /** `web.rescale.enable`: the dashboard offers it. */
  readonly rescaleEnabled: boolean;
  /** `web.refresh-interval`. */
  readonly refreshIntervalMs: number;
  /** `rest.server.max-content-length`; uploads are streamed and not bound by it. */
  readonly contentSizeBytesMax: number;
  /** The JobManager's log file; its directory is what `/jobmanager/logs` lists. Null: logs go elsewhere. */
  readonly logFile: string | null;
  /** Effective configuration as shown: secrets are masked already. */
  readonly shownConfiguration: Readonly<Record<string, string>>;
  readonly version: string;
  /** Abbreviated commit and its date. */
  readonly revision: { readonly commit: string; readonly date: string };
}
