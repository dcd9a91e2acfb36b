/**
 * Looks into an archived savepoint of Visit Counts: its job is long gone, and the directory may have been moved.
 *
 *     bin/flink stop --savepointPath /tmp/savepoints <job id of Visit Counts>
 *     mv /tmp/savepoints/savepoint-… /archive/2026-visits
 *     node dist/examples/savepoints/archive.js /archive/2026-visits
 */
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { state, t } from 'drey';
import { SavepointReader } from 'drey/state';

/** Visits by user. */
export async function archivedCounts(path: string): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const savepoint = await SavepointReader.read(path);
  for await (const { key, state: { count } } of savepoint.operator('counts').keyed({ key: t.string, state: { count: state.value(t.int32) } })) {
    counts.set(key, count.get() ?? 0);
  }
  return counts;
}

const [, script, path] = argv;
if (script !== undefined && path !== undefined && import.meta.url === pathToFileURL(script).href) {
  for (const [user, visits] of await archivedCounts(path)) console.log(`${user}: ${visits}`);
}
