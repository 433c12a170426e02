import type { GraphBuilder, Value } from "../graph/builder.ts";
import { MICROSOFT } from "../graph/operators.ts";

/** Cosines and sines of every position's angles, [tokens, headSize / 2] each. */
export interface RotaryTables {
  cosines: Value;
  sines: Value;
}

/** Turns x [batch, heads, tokens, headSize] by its position: the two halves of a head are the two coordinates (rotate halves). */
export function rotary(graph: GraphBuilder, x: Value, tables: RotaryTables): Value {
  const firstPosition = graph.list([0]);
  return graph.apply(
    "RotaryEmbedding",
    [x, firstPosition, tables.cosines, tables.sines],
    { shape: x.shape },
    { interleaved: 0 },
    MICROSOFT,
  );
}

/** @returns [tokens × headSize / 2] cosines and sines of t·θ^(−2i / headSize), row by row */
export function rotaryAngles(
  tokens: number,
  headSize: number,
  theta: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = headSize / 2;
  const cosines = new Float32Array(tokens * half);
  const sines = new Float32Array(tokens * half);
  const frequencies = Float64Array.from({ length: half }, (_, index) => theta ** ((-2 * index) / headSize));
  for (let token = 0; token < tokens; token++)
    for (let index = 0; index < half; index++) {
      const angle = token * frequencies[index];
      cosines[token * half + index] = Math.cos(angle);
      sines[token * half + index] = Math.sin(angle);
    }
  return { cosines, sines };
}
