/** Entry point of an enumerator worker: rebuilds the program, makes the source's enumerator, and drives it. */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../base/assert.ts';
import { buildProgram, loadProgram } from '../graph/program.ts';
import type { OperatorEventBody } from '../protocol/deployment.ts';
import { errorInfo } from '../protocol/errors.ts';
import type { JsonValue } from '../protocol/json.ts';
import { customSourceOf, EnumeratorHost, type EnumeratorCommand } from './enumerator-host.ts';
import type { EnumeratorWork, FromEnumerator } from './enumerator-worker.ts';

const port = present(parentPort, 'an enumerator worker runs in a thread');
const say = (message: FromEnumerator): void => port.postMessage(message);
const host = makeHost(workerData as EnumeratorWork);

port.on('message', (command: EnumeratorCommand) => {
  void host
    .then((made) => made.handle(command))
    .then((): FromEnumerator => ({ kind: 'handled' }))
    .catch((thrown: unknown): FromEnumerator => ({ kind: 'failed', error: errorInfo(thrown) }))
    .then(say);
});

async function makeHost({ artifactPath, settings, nodeId, parallelism, restored }: EnumeratorWork): Promise<EnumeratorHost> {
  const program = await loadProgram(pathToFileURL(artifactPath).href);
  const source = customSourceOf(buildProgram(program, settings), nodeId);
  const outlet = {
    send: (subtaskIndex: number, body: OperatorEventBody) => say({ kind: 'send', subtaskIndex, body }),
    snapshotTaken: (checkpointId: number, state: JsonValue) => say({ kind: 'snapshotTaken', checkpointId, state }),
  };
  return new EnumeratorHost(source, parallelism, outlet, restored);
}
