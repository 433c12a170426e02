import type { GraphBuilder } from "../../../shared/src/engine/graph/builder.ts";
import { createSession, type HostTensor } from "../../../shared/src/engine/session.ts";

/** Runs a graph without external tensors once. */
export async function runGraph(graph: GraphBuilder, feeds: Record<string, HostTensor>) {
  const session = await createSession(graph, import.meta.dirname, 1);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Numbers that look random and are the same every time, in (−1, 1). */
export function wave(length: number, phase: number): Float32Array {
  return Float32Array.from({ length }, (_, index) => Math.sin(1.7 * index + 2.3 * phase + 0.4));
}
