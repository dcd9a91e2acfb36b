/** What the command line needs of its surroundings; main gives the real one, tests a recorded one. */
import type { Clock } from '../base/ports.ts';
import type { Logger } from '../base/log.ts';

/** The terminal and the process around one command. */
export interface Terminal {
  readonly clock: Clock;
  readonly log: Logger;
  /** Writes to standard output: data. */
  out(text: string): void;
  /** Writes to standard error: talk, errors. */
  error(text: string): void;
  /** Whether standard error is a person's terminal: progress is shown only there. */
  readonly isInteractive: boolean;
  /** Absolute; relative paths of the program's arguments are meant from here. */
  readonly workingDirectory: string;
  /** Scratch space for programs that are built in this process. */
  readonly temporaryDirectory: string;
  /** Runs `callback` at the first Ctrl-C or termination signal; returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
}
