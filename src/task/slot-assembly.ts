/**
 * Wires the inside of a slot: exchange, state backend and connectors. Both hosts use it.
 */
import type { LoggerSource } from '../base/log.ts';
import type { Ports } from '../base/ports.ts';
import type { ConnectorPorts } from '../connectors/connector-ports.ts';
import { createSinkCommitter, createSinkWriter } from '../connectors/sink-writers.ts';
import { createReader } from '../connectors/source-readers.ts';
import { SlotChannels } from '../exchange/slot-exchange.ts';
import { slotBackends, type DiskState } from '../state/slot-backends.ts';
import { localFileSystems } from '../storage/local-files.ts';
import type { Interrupt } from './chain-interpreter.ts';
import type { LoadProgram } from './slot-programs.ts';
import type { FromSlot } from './slot-protocol.ts';
import { SlotRuntime } from './slot-runtime.ts';

const TASK_LOGGER = 'org.apache.flink.runtime.taskmanager.Task';

/** What differs between hosts. */
export interface SlotAssembly {
  readonly ports: Ports;
  readonly loggers: LoggerSource;
  readonly interrupt: Interrupt;
  /** The slot's, see `SlotDoorbells`. */
  readonly doorbell: SharedArrayBuffer;
  readonly loadProgram: LoadProgram;
  readonly diskState: DiskState;
  send(message: FromSlot): void;
}

/** A slot, not yet running. */
export function assembleSlot(assembly: SlotAssembly): SlotRuntime {
  const { ports, loggers, interrupt, loadProgram } = assembly;
  const files = localFileSystems(ports.random);
  const connectorPorts: ConnectorPorts = { ...ports, files };
  const log = loggers.logger(TASK_LOGGER);
  return new SlotRuntime({
    ports,
    interrupt,
    log,
    loadProgram,
    files,
    exchange: new SlotChannels(log, assembly.doorbell),
    backendOf: slotBackends(assembly.diskState),
    connectors: {
      createReader: (spec, context) => createReader(spec, context, connectorPorts),
      createSinkWriter: (spec, context) => createSinkWriter(spec, context, connectorPorts),
      createSinkCommitter: (spec, context) => createSinkCommitter(spec, context, connectorPorts),
    },
    send: (message) => assembly.send(message),
  });
}
