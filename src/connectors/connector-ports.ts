/** What connectors need of the outside. */
import type { Clock, Random } from '../base/ports.ts';
import type { FileSystems } from '../storage/file-system.ts';

export interface ConnectorPorts {
  readonly clock: Clock;
  /** Names files. */
  readonly random: Random;
  readonly files: FileSystems;
}
