/** Runs `env.execute()` and `executeAndCollect()` of a program that has no cluster: in a MiniCluster made for it. */
import type { LocalExecutor, LocalJob } from '../api/local-executor.ts';
import { MiniCluster } from './mini-cluster.ts';

/** Slots follow the parallelism, so that every local program finds room. */
export const miniClusterExecutor: LocalExecutor = {
  async submit(program, configuration): Promise<LocalJob> {
    const slots = Number(configuration['parallelism.default'] ?? 1);
    const cluster = await MiniCluster.start({ slots: Math.max(slots, 1), configuration });
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
