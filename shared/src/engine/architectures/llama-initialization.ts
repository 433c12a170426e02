import { createRandom } from "../../core/numeric/random.ts";
import { type Tensor, writeSafetensors } from "../../formats/safetensors.ts";
import { llamaWeights } from "./llama.ts";
import { parseLlamaConfig } from "./llama-config.ts";

/**
 * Draws a fresh LLaMA as transformers does: matrices from a normal distribution with the config's initializer_range (0.02
 * unless given), norms 1, biases 0.
 *
 * @param configJson - config.json
 * @returns model.safetensors in f32; the same bytes for the same config and seed
 */
export function initializeLlama(configJson: string, seed: number): Uint8Array {
  const config = parseLlamaConfig(new TextEncoder().encode(configJson), "config.json");
  const random = createRandom(seed);
  const tensors: Record<string, Tensor> = {};
  for (const { name, shape } of llamaWeights(config)) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (shape.length === 2)
      for (let index = 0; index < data.length; index++) data[index] = random.normal() * config.initializerRange;
    else if (name.endsWith("norm.weight")) data.fill(1);
    tensors[name] = { dtype: "F32", shape, data };
  }
  return writeSafetensors(tensors, { format: "pt" });
}
