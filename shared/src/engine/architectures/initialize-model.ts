import { createRandom } from "../../core/numeric/random.ts";
import { type Tensor, writeSafetensors } from "../../formats/safetensors.ts";
import { parseArchitecture } from "./parse-architecture.ts";

/**
 * Draws a fresh model as transformers does: matrices from a normal distribution with the config's initializer_range (0.02
 * unless given), norms and biases as the architecture begins them.
 *
 * @param configJson - config.json
 * @returns model.safetensors in f32; the same bytes for the same config and seed
 */
export function initializeModel(configJson: string, seed: number): Uint8Array {
  const { weights, initializerRange } = parseArchitecture(new TextEncoder().encode(configJson), "config.json");
  const random = createRandom(seed);
  const tensors: Record<string, Tensor> = {};
  for (const { name, shape, initial } of weights) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (initial === "normal")
      for (let index = 0; index < data.length; index++) data[index] = random.normal() * initializerRange;
    else if (initial === "ones") data.fill(1);
    tensors[name] = { dtype: "F32", shape, data };
  }
  return writeSafetensors(tensors, { format: "pt" });
}
