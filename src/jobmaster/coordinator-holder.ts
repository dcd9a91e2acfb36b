/**
 * The operator coordinators of one job: made with it, remade for regions that restart, closed with it.
 *
 * For a checkpoint each gives its snapshot. From then on what it says to its subtasks is held back until the triggers
 * of that checkpoint are out: a split must not reach a reader before the barrier when the snapshot does not know of it.
 */
import type { JobGraph } from '../graph/job-graph.ts';
import type { OperatorEvent, OperatorEventBody } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JobVertexId, OperatorId } from '../protocol/ids.ts';
import type { JsonValue } from '../protocol/json.ts';
import {
  isCollecting,
  type CollectingCoordinator,
  type CoordinatedOperator,
  type CoordinatorMaker,
  type OperatorCoordinator,
} from './operator-coordinator.ts';
import { WatermarkAlignment } from './watermark-alignment.core.ts';

export interface CoordinatorHolderOptions {
  readonly jobGraph: JobGraph;
  readonly make: CoordinatorMaker;
  readonly send: (
    target: { readonly vertexId: JobVertexId; readonly subtaskIndex: number; readonly nodeId: number },
    body: OperatorEventBody,
  ) => void;
  readonly fail: (error: ErrorInfo) => void;
}

interface Held {
  place: Omit<CoordinatedOperator, 'restored'>;
  coordinator: OperatorCoordinator | null;
  /** Messages held back; null: they pass. */
  heldBack: (() => void)[] | null;
}

type ReportedWatermark = OperatorEventBody & { readonly kind: 'watermarkReported' };

/** Snapshots of coordinators, by operator id. */
export type CoordinatorSnapshots = ReadonlyMap<OperatorId, JsonValue>;

export class CoordinatorHolder {
  private readonly options: CoordinatorHolderOptions;
  /** By node id. */
  private readonly held: ReadonlyMap<number, Held>;
  private readonly alignment = new WatermarkAlignment();
  /** The checkpoint whose snapshots are being taken. */
  private snapshotId: number | null = null;

  constructor(options: CoordinatorHolderOptions) {
    this.options = options;
    this.held = new Map(placesIn(options.jobGraph).map((place) => [place.operator.nodeId, { place, coordinator: null, heldBack: null }]));
  }

  /** Coordinators that are made from now on are for this revision of the graph. */
  rescale(jobGraph: JobGraph): void {
    for (const place of placesIn(jobGraph)) {
      const held = this.held.get(place.operator.nodeId);
      if (held) held.place = place;
    }
  }

  /** Makes and starts the coordinators of all vertices, or anew those of `vertices`, from their snapshots. A fault fails the job. */
  start(vertices: ReadonlySet<JobVertexId> | null, restored: CoordinatorSnapshots): void {
    for (const held of this.held.values()) {
      if (vertices !== null && !vertices.has(held.place.vertex.id)) continue;
      if (vertices !== null && held.coordinator && isCollecting(held.coordinator)) {
        held.coordinator.subtasksRestarted();
        continue;
      }
      this.guard(() => {
        held.coordinator?.close();
        held.heldBack = null;
        this.alignment.forget(held.place.operator.nodeId);
        held.coordinator = this.make(held, restored.get(held.place.operator.operatorId) ?? null);
        held.coordinator?.start();
      });
    }
  }

  onOperatorEvent(event: OperatorEvent): void {
    const held = this.held.get(event.nodeId);
    if (held !== undefined && event.body.kind === 'watermarkReported') this.align(held, event, event.body);
    else this.guard(() => held?.coordinator?.onOperatorEvent(event));
  }

  onSubtaskFailed(vertexId: JobVertexId, subtaskIndex: number, reason: ErrorInfo): void {
    for (const { place, coordinator } of this.held.values()) {
      if (place.vertex.id !== vertexId) continue;
      this.alignment.forget(place.operator.nodeId, subtaskIndex);
      this.guard(() => coordinator?.onSubtaskFailed(subtaskIndex, reason));
    }
  }

  /** The snapshots of all coordinators, for one checkpoint at a time; messages to subtasks are held back until `release`. */
  async snapshot(checkpointId: number): Promise<CoordinatorSnapshots> {
    this.snapshotId = checkpointId;
    const taken = new Map<OperatorId, JsonValue>();
    await Promise.all([...this.held.values()].map((held) => this.snapshotOf(held, checkpointId, taken)));
    return taken;
  }

  /** Lets the messages pass that were held back for this checkpoint, in order. Idempotent. */
  release(checkpointId: number): void {
    if (this.snapshotId !== checkpointId) return;
    this.snapshotId = null;
    for (const held of this.held.values()) {
      const messages = held.heldBack ?? [];
      held.heldBack = null;
      for (const send of messages) send();
    }
  }

  /** Throws JOB_NOT_FOUND when the job has no such collect sink. */
  collecting(collectId: string): CollectingCoordinator {
    for (const { coordinator } of this.held.values()) {
      if (coordinator && isCollecting(coordinator) && coordinator.collectId === collectId) return coordinator;
    }
    throw new ClusterError('JOB_NOT_FOUND', `job ${this.options.jobGraph.jobId} has no collect sink '${collectId}'`);
  }

  /** The job is over. Collected results stay until they are polled. */
  jobEnded(): void {
    for (const { coordinator } of this.held.values()) {
      if (coordinator && isCollecting(coordinator)) coordinator.jobEnded();
      else coordinator?.close();
    }
  }

  close(): void {
    for (const { coordinator } of this.held.values()) coordinator?.close();
  }

  private align(held: Held, { nodeId, subtaskIndex }: OperatorEvent, report: ReportedWatermark): void {
    const { group, timestampMs, driftMsMax } = report;
    const timestampMsMax = this.alignment.report({ nodeId, subtaskIndex, group, timestampMs, driftMsMax });
    this.options.send({ vertexId: held.place.vertex.id, subtaskIndex, nodeId }, { kind: 'watermarkAlignment', timestampMsMax });
  }

  private make(held: Held, restored: JsonValue | null): OperatorCoordinator | null {
    const { vertex, operator } = held.place;
    return this.options.make({ ...held.place, restored: structuredClone(restored) }, {
      sendToSubtask: (subtaskIndex, body) => {
        const send = (): void => this.options.send({ vertexId: vertex.id, subtaskIndex, nodeId: operator.nodeId }, body);
        if (held.heldBack === null) send();
        else held.heldBack.push(send);
      },
      fail: this.options.fail,
    });
  }

  /** Never resolves when the coordinator dies on the way: the checkpoint expires, or the job fails of it. */
  private snapshotOf(held: Held, checkpointId: number, taken: Map<OperatorId, JsonValue>): Promise<void> {
    const { coordinator } = held;
    return new Promise((resolve) => {
      if (!coordinator?.snapshot) return resolve();
      this.guard(() => coordinator.snapshot?.(checkpointId, (state) => {
        if (held.coordinator !== coordinator || this.snapshotId !== checkpointId) return;
        held.heldBack ??= [];
        taken.set(held.place.operator.operatorId, structuredClone(state)); // The coordinator may go on changing what it gave.
        resolve();
      }));
    });
  }

  private guard(act: () => void): void {
    try {
      act();
    } catch (thrown) {
      this.options.fail(errorInfo(thrown));
    }
  }
}

function placesIn(jobGraph: JobGraph): Omit<CoordinatedOperator, 'restored'>[] {
  return jobGraph.vertices.flatMap((vertex) => vertex.operators.map((operator) => ({ jobGraph, vertex, operator })));
}
