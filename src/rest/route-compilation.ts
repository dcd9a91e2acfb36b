/**
 * Fastify's router writes one small function per route (from route patterns, never from a request) with
 * `new Function`. The JobManager runs with `--disallow-code-generation-from-strings`, so that nothing a
 * peer sends can ever become code; while routes are installed, and only then, `Function` comes from a
 * context of its own in which that is allowed.
 */
import { runInContext, createContext } from 'node:vm';

/** Runs `install` with a `Function` that may compile; restores the process's own afterwards, also on failure. */
export async function whileRoutesCompile<T>(install: () => Promise<T>): Promise<T> {
  const own = globalThis.Function;
  const context = createContext({}, { codeGeneration: { strings: true, wasm: false } });
  globalThis.Function = runInContext('Function', context) as FunctionConstructor;
  try {
    return await install();
  } finally {
    globalThis.Function = own;
  }
}
