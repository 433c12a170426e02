import type { Attributes, GraphBuilder, Value } from "../graph/builder.ts";
import { MICROSOFT } from "../graph/operators.ts";

/** How far a position turns each pair of coordinates (Su et al., "RoFormer", 2021). */
export interface RotarySpec {
  /** [dimensions / 2] radians a token; fewer than half a head's size where only its first coordinates are turned */
  readonly frequencies: readonly number[];
}

/** θ^(−2i / dimensions). */
export function rotaryFrequencies(dimensions: number, theta: number): number[] {
  return Array.from({ length: dimensions / 2 }, (_, index) => theta ** ((-2 * index) / dimensions));
}

/** Cosines and sines of angles, [angles, dimensions / 2] each, and where in them the tokens' stand. */
export interface RotaryTables {
  /** int64: [1] the first token's, in every text; or [batch, tokens] */
  positions: Value;
  cosines: Value;
  sines: Value;
}

/**
 * Turns x [batch, heads, tokens, headSize] by its position: the two halves of a head are the two coordinates (rotate halves).
 * Where the tables have fewer frequencies than half a head, its last coordinates stay as they are.
 */
export function rotary(graph: GraphBuilder, x: Value, tables: RotaryTables): Value {
  const turned = 2 * (tables.cosines.shape[1] as number);
  const partial: Attributes =
    turned < (x.shape[3] as number) ? { rotary_embedding_dim: turned, num_heads: x.shape[1] as number } : {};
  return graph.apply(
    "RotaryEmbedding",
    [x, tables.positions, tables.cosines, tables.sines],
    { shape: x.shape },
    { interleaved: 0, ...partial },
    MICROSOFT,
  );
}

/** @returns [tokens × frequencies] cosines and sines of the positions from 0 on, row by row */
export function rotaryAngles(
  { frequencies }: RotarySpec,
  tokens: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = frequencies.length;
  const cosines = new Float32Array(tokens * half);
  const sines = new Float32Array(tokens * half);
  for (let token = 0; token < tokens; token++)
    for (let index = 0; index < half; index++) {
      const angle = token * frequencies[index];
      cosines[token * half + index] = Math.cos(angle);
      sines[token * half + index] = Math.sin(angle);
    }
  return { cosines, sines };
}
