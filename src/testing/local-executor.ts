/** Runs `env.execute()` and `executeAndCollect()` of a program that has no cluster: in a MiniCluster made for it. */
import type { LocalExecutor, LocalJob } from '../api/local-executor.ts';
import type { StreamGraph } from '../graph/stream-graph.ts';
import { MiniCluster } from './mini-cluster.ts';

/** The cluster has the slots that the program needs. */
export const miniClusterExecutor: LocalExecutor = {
  async submit(program, configuration): Promise<LocalJob> {
    const slots = slotsOf(program.build({ args: {}, configuration }));
    const cluster = await MiniCluster.start({ slots, configuration });
    try {
      const job = await cluster.submit(program);
      const result = job.result();
      result.catch(() => undefined); // Whoever reads `result` is told; a caller that only collects must not crash.
      return { collected: (id) => job.collected(id), result, close: () => cluster.close() };
    } catch (thrown) {
      await cluster.close();
      throw thrown;
    }
  },
};

/** Each slot sharing group needs as many slots as its widest operator has subtasks. */
function slotsOf(graph: StreamGraph): number {
  const widest = new Map<string, number>();
  for (const { slotSharingGroup, parallelism } of graph.nodes) {
    widest.set(slotSharingGroup, Math.max(widest.get(slotSharingGroup) ?? 0, parallelism));
  }
  return [...widest.values()].reduce((sum, slots) => sum + slots, 0);
}
