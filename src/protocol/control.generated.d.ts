import type * as $protobuf from "protobufjs/minimal.js";

export namespace drey {

    namespace control {

        interface IFrame extends drey.control.Frame.$Properties {
        }

        class Frame {
            constructor(properties?: drey.control.Frame.$Properties);
            $unknowns?: Uint8Array[];
            version: number;
            kind: drey.control.Frame.Kind;
            epoch: number;
            incarnation: string;
            call: number;
            method: string;
            deadlineMs: number;
            body: Uint8Array;
            static create(properties: drey.control.Frame.$Shape): drey.control.Frame & drey.control.Frame.$Shape;
            static create(properties?: drey.control.Frame.$Properties): drey.control.Frame;
            static encode(message: drey.control.Frame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.Frame & drey.control.Frame.$Shape;
        }

        namespace Frame {
            interface $Properties {
                version?: (number|null);
                kind?: (drey.control.Frame.Kind|null);
                epoch?: (number|null);
                incarnation?: (string|null);
                call?: (number|null);
                method?: (string|null);
                deadlineMs?: (number|null);
                body?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.Frame.$Properties;

            enum Kind {
                NOTIFY = 0,
                REQUEST = 1,
                RESPONSE = 2,
                FAULT = 3
            }
        }

        interface IAck extends drey.control.Ack.$Properties {
        }

        class Ack {
            constructor(properties?: drey.control.Ack.$Properties);
            $unknowns?: Uint8Array[];
            static create(properties: drey.control.Ack.$Shape): drey.control.Ack & drey.control.Ack.$Shape;
            static create(properties?: drey.control.Ack.$Properties): drey.control.Ack;
            static encode(message: drey.control.Ack.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.Ack & drey.control.Ack.$Shape;
        }

        namespace Ack {
            interface $Properties {
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.Ack.$Properties;
        }

        interface IRegisterTaskManager extends drey.control.RegisterTaskManager.$Properties {
        }

        class RegisterTaskManager {
            constructor(properties?: drey.control.RegisterTaskManager.$Properties);
            $unknowns?: Uint8Array[];
            descriptionJson: Uint8Array;
            slotsJson: Uint8Array;
            executionsJson: Uint8Array;
            highestEpoch: number;
            static create(properties: drey.control.RegisterTaskManager.$Shape): drey.control.RegisterTaskManager & drey.control.RegisterTaskManager.$Shape;
            static create(properties?: drey.control.RegisterTaskManager.$Properties): drey.control.RegisterTaskManager;
            static encode(message: drey.control.RegisterTaskManager.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.RegisterTaskManager & drey.control.RegisterTaskManager.$Shape;
        }

        namespace RegisterTaskManager {
            interface $Properties {
                descriptionJson?: (Uint8Array|null);
                slotsJson?: (Uint8Array|null);
                executionsJson?: (Uint8Array|null);
                highestEpoch?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.RegisterTaskManager.$Properties;
        }

        interface ITaskManagerRegistered extends drey.control.TaskManagerRegistered.$Properties {
        }

        class TaskManagerRegistered {
            constructor(properties?: drey.control.TaskManagerRegistered.$Properties);
            $unknowns?: Uint8Array[];
            instanceId: string;
            resourceManagerId: string;
            heartbeatIntervalMs: number;
            heartbeatTimeoutMs: number;
            static create(properties: drey.control.TaskManagerRegistered.$Shape): drey.control.TaskManagerRegistered & drey.control.TaskManagerRegistered.$Shape;
            static create(properties?: drey.control.TaskManagerRegistered.$Properties): drey.control.TaskManagerRegistered;
            static encode(message: drey.control.TaskManagerRegistered.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.TaskManagerRegistered & drey.control.TaskManagerRegistered.$Shape;
        }

        namespace TaskManagerRegistered {
            interface $Properties {
                instanceId?: (string|null);
                resourceManagerId?: (string|null);
                heartbeatIntervalMs?: (number|null);
                heartbeatTimeoutMs?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.TaskManagerRegistered.$Properties;
        }

        interface IHeartbeat extends drey.control.Heartbeat.$Properties {
        }

        class Heartbeat {
            constructor(properties?: drey.control.Heartbeat.$Properties);
            $unknowns?: Uint8Array[];
            slotsJson: Uint8Array;
            executionsJson: Uint8Array;
            metricsJson: Uint8Array;
            static create(properties: drey.control.Heartbeat.$Shape): drey.control.Heartbeat & drey.control.Heartbeat.$Shape;
            static create(properties?: drey.control.Heartbeat.$Properties): drey.control.Heartbeat;
            static encode(message: drey.control.Heartbeat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.Heartbeat & drey.control.Heartbeat.$Shape;
        }

        namespace Heartbeat {
            interface $Properties {
                slotsJson?: (Uint8Array|null);
                executionsJson?: (Uint8Array|null);
                metricsJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.Heartbeat.$Properties;
        }

        interface IAllocateSlot extends drey.control.AllocateSlot.$Properties {
        }

        class AllocateSlot {
            constructor(properties?: drey.control.AllocateSlot.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            allocation: string;
            slotIndex: number;
            static create(properties: drey.control.AllocateSlot.$Shape): drey.control.AllocateSlot & drey.control.AllocateSlot.$Shape;
            static create(properties?: drey.control.AllocateSlot.$Properties): drey.control.AllocateSlot;
            static encode(message: drey.control.AllocateSlot.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.AllocateSlot & drey.control.AllocateSlot.$Shape;
        }

        namespace AllocateSlot {
            interface $Properties {
                job?: (string|null);
                allocation?: (string|null);
                slotIndex?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.AllocateSlot.$Properties;
        }

        interface IFreeSlot extends drey.control.FreeSlot.$Properties {
        }

        class FreeSlot {
            constructor(properties?: drey.control.FreeSlot.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            allocation: string;
            reason: string;
            static create(properties: drey.control.FreeSlot.$Shape): drey.control.FreeSlot & drey.control.FreeSlot.$Shape;
            static create(properties?: drey.control.FreeSlot.$Properties): drey.control.FreeSlot;
            static encode(message: drey.control.FreeSlot.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.FreeSlot & drey.control.FreeSlot.$Shape;
        }

        namespace FreeSlot {
            interface $Properties {
                job?: (string|null);
                allocation?: (string|null);
                reason?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.FreeSlot.$Properties;
        }

        interface IDeployTasks extends drey.control.DeployTasks.$Properties {
        }

        class DeployTasks {
            constructor(properties?: drey.control.DeployTasks.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            jobGraphJson: Uint8Array;
            deploymentsJson: Uint8Array;
            static create(properties: drey.control.DeployTasks.$Shape): drey.control.DeployTasks & drey.control.DeployTasks.$Shape;
            static create(properties?: drey.control.DeployTasks.$Properties): drey.control.DeployTasks;
            static encode(message: drey.control.DeployTasks.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.DeployTasks & drey.control.DeployTasks.$Shape;
        }

        namespace DeployTasks {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                jobGraphJson?: (Uint8Array|null);
                deploymentsJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.DeployTasks.$Properties;
        }

        interface ICancelTask extends drey.control.CancelTask.$Properties {
        }

        class CancelTask {
            constructor(properties?: drey.control.CancelTask.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            static create(properties: drey.control.CancelTask.$Shape): drey.control.CancelTask & drey.control.CancelTask.$Shape;
            static create(properties?: drey.control.CancelTask.$Properties): drey.control.CancelTask;
            static encode(message: drey.control.CancelTask.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.CancelTask & drey.control.CancelTask.$Shape;
        }

        namespace CancelTask {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.CancelTask.$Properties;
        }

        interface IReleaseJob extends drey.control.ReleaseJob.$Properties {
        }

        class ReleaseJob {
            constructor(properties?: drey.control.ReleaseJob.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            static create(properties: drey.control.ReleaseJob.$Shape): drey.control.ReleaseJob & drey.control.ReleaseJob.$Shape;
            static create(properties?: drey.control.ReleaseJob.$Properties): drey.control.ReleaseJob;
            static encode(message: drey.control.ReleaseJob.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.ReleaseJob & drey.control.ReleaseJob.$Shape;
        }

        namespace ReleaseJob {
            interface $Properties {
                job?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.ReleaseJob.$Properties;
        }

        interface ITaskStateChanged extends drey.control.TaskStateChanged.$Properties {
        }

        class TaskStateChanged {
            constructor(properties?: drey.control.TaskStateChanged.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            reportJson: Uint8Array;
            static create(properties: drey.control.TaskStateChanged.$Shape): drey.control.TaskStateChanged & drey.control.TaskStateChanged.$Shape;
            static create(properties?: drey.control.TaskStateChanged.$Properties): drey.control.TaskStateChanged;
            static encode(message: drey.control.TaskStateChanged.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.TaskStateChanged & drey.control.TaskStateChanged.$Shape;
        }

        namespace TaskStateChanged {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                reportJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.TaskStateChanged.$Properties;
        }

        interface IOperatorEvent extends drey.control.OperatorEvent.$Properties {
        }

        class OperatorEvent {
            constructor(properties?: drey.control.OperatorEvent.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            subtaskIndex: number;
            nodeId: number;
            bodyJson: Uint8Array;
            static create(properties: drey.control.OperatorEvent.$Shape): drey.control.OperatorEvent & drey.control.OperatorEvent.$Shape;
            static create(properties?: drey.control.OperatorEvent.$Properties): drey.control.OperatorEvent;
            static encode(message: drey.control.OperatorEvent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.OperatorEvent & drey.control.OperatorEvent.$Shape;
        }

        namespace OperatorEvent {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                subtaskIndex?: (number|null);
                nodeId?: (number|null);
                bodyJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.OperatorEvent.$Properties;
        }

        interface ITriggerCheckpoint extends drey.control.TriggerCheckpoint.$Properties {
        }

        class TriggerCheckpoint {
            constructor(properties?: drey.control.TriggerCheckpoint.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            checkpointId: number;
            timestampMs: number;
            optionsJson: Uint8Array;
            static create(properties: drey.control.TriggerCheckpoint.$Shape): drey.control.TriggerCheckpoint & drey.control.TriggerCheckpoint.$Shape;
            static create(properties?: drey.control.TriggerCheckpoint.$Properties): drey.control.TriggerCheckpoint;
            static encode(message: drey.control.TriggerCheckpoint.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.TriggerCheckpoint & drey.control.TriggerCheckpoint.$Shape;
        }

        namespace TriggerCheckpoint {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                checkpointId?: (number|null);
                timestampMs?: (number|null);
                optionsJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.TriggerCheckpoint.$Properties;
        }

        interface INotifyCheckpointComplete extends drey.control.NotifyCheckpointComplete.$Properties {
        }

        class NotifyCheckpointComplete {
            constructor(properties?: drey.control.NotifyCheckpointComplete.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            checkpointId: number;
            static create(properties: drey.control.NotifyCheckpointComplete.$Shape): drey.control.NotifyCheckpointComplete & drey.control.NotifyCheckpointComplete.$Shape;
            static create(properties?: drey.control.NotifyCheckpointComplete.$Properties): drey.control.NotifyCheckpointComplete;
            static encode(message: drey.control.NotifyCheckpointComplete.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.NotifyCheckpointComplete & drey.control.NotifyCheckpointComplete.$Shape;
        }

        namespace NotifyCheckpointComplete {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                checkpointId?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.NotifyCheckpointComplete.$Properties;
        }

        interface INotifyCheckpointAborted extends drey.control.NotifyCheckpointAborted.$Properties {
        }

        class NotifyCheckpointAborted {
            constructor(properties?: drey.control.NotifyCheckpointAborted.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            checkpointId: number;
            latestCompletedId: number;
            static create(properties: drey.control.NotifyCheckpointAborted.$Shape): drey.control.NotifyCheckpointAborted & drey.control.NotifyCheckpointAborted.$Shape;
            static create(properties?: drey.control.NotifyCheckpointAborted.$Properties): drey.control.NotifyCheckpointAborted;
            static encode(message: drey.control.NotifyCheckpointAborted.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.NotifyCheckpointAborted & drey.control.NotifyCheckpointAborted.$Shape;
        }

        namespace NotifyCheckpointAborted {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                checkpointId?: (number|null);
                latestCompletedId?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.NotifyCheckpointAborted.$Properties;
        }

        interface IAcknowledgeCheckpoint extends drey.control.AcknowledgeCheckpoint.$Properties {
        }

        class AcknowledgeCheckpoint {
            constructor(properties?: drey.control.AcknowledgeCheckpoint.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            ackJson: Uint8Array;
            static create(properties: drey.control.AcknowledgeCheckpoint.$Shape): drey.control.AcknowledgeCheckpoint & drey.control.AcknowledgeCheckpoint.$Shape;
            static create(properties?: drey.control.AcknowledgeCheckpoint.$Properties): drey.control.AcknowledgeCheckpoint;
            static encode(message: drey.control.AcknowledgeCheckpoint.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.AcknowledgeCheckpoint & drey.control.AcknowledgeCheckpoint.$Shape;
        }

        namespace AcknowledgeCheckpoint {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                ackJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.AcknowledgeCheckpoint.$Properties;
        }

        interface IDeclineCheckpoint extends drey.control.DeclineCheckpoint.$Properties {
        }

        class DeclineCheckpoint {
            constructor(properties?: drey.control.DeclineCheckpoint.$Properties);
            $unknowns?: Uint8Array[];
            job: string;
            generation: number;
            attempt: string;
            checkpointId: number;
            errorJson: Uint8Array;
            static create(properties: drey.control.DeclineCheckpoint.$Shape): drey.control.DeclineCheckpoint & drey.control.DeclineCheckpoint.$Shape;
            static create(properties?: drey.control.DeclineCheckpoint.$Properties): drey.control.DeclineCheckpoint;
            static encode(message: drey.control.DeclineCheckpoint.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.DeclineCheckpoint & drey.control.DeclineCheckpoint.$Shape;
        }

        namespace DeclineCheckpoint {
            interface $Properties {
                job?: (string|null);
                generation?: (number|null);
                attempt?: (string|null);
                checkpointId?: (number|null);
                errorJson?: (Uint8Array|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.DeclineCheckpoint.$Properties;
        }

        interface IFetchArtifact extends drey.control.FetchArtifact.$Properties {
        }

        class FetchArtifact {
            constructor(properties?: drey.control.FetchArtifact.$Properties);
            $unknowns?: Uint8Array[];
            artifact: string;
            offset: number;
            sizeMax: number;
            static create(properties: drey.control.FetchArtifact.$Shape): drey.control.FetchArtifact & drey.control.FetchArtifact.$Shape;
            static create(properties?: drey.control.FetchArtifact.$Properties): drey.control.FetchArtifact;
            static encode(message: drey.control.FetchArtifact.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.FetchArtifact & drey.control.FetchArtifact.$Shape;
        }

        namespace FetchArtifact {
            interface $Properties {
                artifact?: (string|null);
                offset?: (number|null);
                sizeMax?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.FetchArtifact.$Properties;
        }

        interface IArtifactChunk extends drey.control.ArtifactChunk.$Properties {
        }

        class ArtifactChunk {
            constructor(properties?: drey.control.ArtifactChunk.$Properties);
            $unknowns?: Uint8Array[];
            data: Uint8Array;
            totalSize: number;
            static create(properties: drey.control.ArtifactChunk.$Shape): drey.control.ArtifactChunk & drey.control.ArtifactChunk.$Shape;
            static create(properties?: drey.control.ArtifactChunk.$Properties): drey.control.ArtifactChunk;
            static encode(message: drey.control.ArtifactChunk.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.ArtifactChunk & drey.control.ArtifactChunk.$Shape;
        }

        namespace ArtifactChunk {
            interface $Properties {
                data?: (Uint8Array|null);
                totalSize?: (number|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.ArtifactChunk.$Properties;
        }

        interface IDisconnect extends drey.control.Disconnect.$Properties {
        }

        class Disconnect {
            constructor(properties?: drey.control.Disconnect.$Properties);
            $unknowns?: Uint8Array[];
            reason: string;
            static create(properties: drey.control.Disconnect.$Shape): drey.control.Disconnect & drey.control.Disconnect.$Shape;
            static create(properties?: drey.control.Disconnect.$Properties): drey.control.Disconnect;
            static encode(message: drey.control.Disconnect.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): drey.control.Disconnect & drey.control.Disconnect.$Shape;
        }

        namespace Disconnect {
            interface $Properties {
                reason?: (string|null);
                $unknowns?: Uint8Array[];
            }
            type $Shape = drey.control.Disconnect.$Properties;
        }
    }
}
