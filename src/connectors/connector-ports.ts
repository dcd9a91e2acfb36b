/** What connectors need of the outside. */
import type { Clock } from '../base/ports.ts';
import type { FileSystems } from '../storage/file-system.ts';

export interface ConnectorPorts {
  readonly clock: Clock;
  readonly files: FileSystems;
}
