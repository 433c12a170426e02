import type { Architecture } from "./architectures/architecture.ts";

const FLOAT_BYTES = 4;
/** Queries are not kept: a token's keys and values are. */
const KEPT_KINDS = 2;

/** What a model that generates holds in memory, from its shapes alone. */
export interface ServingMemory {
  parameters: number;
  /** in f32, as they are computed with: 16-bit weights are widened once */
  weightBytes: number;
  /** of the keys and values that one token of a text keeps in all blocks */
  tokenBytes: number;
}

export function servingMemory({ weights, blocks, attention }: Architecture): ServingMemory {
  const parameters = weights.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return {
    parameters,
    weightBytes: FLOAT_BYTES * parameters,
    tokenBytes: FLOAT_BYTES * KEPT_KINDS * blocks * attention.keyValueHeads * attention.headSize,
  };
}
