/** Which coordinator an operator has at the JobMaster. */
import type { Ports } from '../base/ports.ts';
import type { FileSystems } from '../storage/file-system.ts';
import { CollectCoordinator } from './collect-coordinator.ts';
import type { CoordinatorMaker } from './operator-coordinator.ts';
import { SourceCoordinator } from './source-coordinator.ts';
import { enumeratorOf } from './split-enumerators.core.ts';

/** What coordinators work with. */
export interface CoordinatorSurroundings {
  readonly ports: Ports;
  readonly files: FileSystems;
  /** Makes the coordinators of sources that users wrote. */
  readonly custom: CoordinatorMaker;
}

/** Makes the coordinators of sources and collect sinks; other operators have none. */
export function coordinatorMaker({ ports, files, custom }: CoordinatorSurroundings): CoordinatorMaker {
  return (place, context) => {
    const { operator, vertex, restored } = place;
    if (operator.kind === 'sink.collect') return new CollectCoordinator(String(operator.data['id']), ports, context);
    if (operator.kind === 'source.custom') return custom(place, context);
    if (!operator.kind.startsWith('source.')) return null;
    const core = enumeratorOf(operator, vertex.parallelism, restored);
    return new SourceCoordinator({ core, name: operator.name, clock: ports.clock, files }, context);
  };
}
