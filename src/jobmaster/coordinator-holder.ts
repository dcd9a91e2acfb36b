/** The operator coordinators of one job: made with it, remade for regions that restart, closed with it. */
import type { JobGraph } from '../graph/job-graph.ts';
import type { OperatorEvent, OperatorEventBody } from '../protocol/deployment.ts';
import { ClusterError, errorInfo, type ErrorInfo } from '../protocol/errors.ts';
import type { JobVertexId } from '../protocol/ids.ts';
import {
  isCollecting,
  type CollectingCoordinator,
  type CoordinatedOperator,
  type CoordinatorMaker,
  type OperatorCoordinator,
} from './operator-coordinator.ts';

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
  readonly place: CoordinatedOperator;
  coordinator: OperatorCoordinator | null;
}

export class CoordinatorHolder {
  private readonly options: CoordinatorHolderOptions;
  /** By node id. */
  private readonly held: ReadonlyMap<number, Held>;

  constructor(options: CoordinatorHolderOptions) {
    const { jobGraph } = options;
    this.options = options;
    const places = jobGraph.vertices.flatMap((vertex) => vertex.operators.map((operator) => ({ jobGraph, vertex, operator })));
    this.held = new Map(places.map((place) => [place.operator.nodeId, { place, coordinator: null }]));
  }

  /** Makes and starts the coordinators of all vertices, or of `vertices`. A fault fails the job. */
  start(vertices: ReadonlySet<JobVertexId> | null): void {
    for (const held of this.held.values()) {
      if (vertices !== null && !vertices.has(held.place.vertex.id)) continue;
      this.guard(() => {
        held.coordinator?.close();
        held.coordinator = this.make(held.place);
        held.coordinator?.start();
      });
    }
  }

  onOperatorEvent(event: OperatorEvent): void {
    this.guard(() => this.held.get(event.nodeId)?.coordinator?.onOperatorEvent(event));
  }

  onSubtaskFailed(vertexId: JobVertexId, subtaskIndex: number, reason: ErrorInfo): void {
    for (const { place, coordinator } of this.held.values()) {
      if (place.vertex.id === vertexId) this.guard(() => coordinator?.onSubtaskFailed(subtaskIndex, reason));
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

  private make(place: CoordinatedOperator): OperatorCoordinator | null {
    const { vertex, operator } = place;
    return this.options.make(place, {
      sendToSubtask: (subtaskIndex, body) => this.options.send({ vertexId: vertex.id, subtaskIndex, nodeId: operator.nodeId }, body),
      fail: this.options.fail,
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
