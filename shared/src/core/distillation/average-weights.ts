import { InvalidInputError } from "../errors.ts";

export interface WeightedAdapter {
  /** share in the average before normalisation: FedAvg's number of private samples */
  weight: number;
  /** LoRA tensors by name */
  tensors: ReadonlyMap<string, Float32Array>;
}

/**
 * Federated averaging (FedAvg) of LoRA weights: per element Σ wᵢ xᵢ / Σ wᵢ, summed in float64 in the order given, rounded once.
 * A and B are averaged apart, as FATE-LLM and PEFT-based FedAvg do; the product of averages is not the average of products.
 *
 * @param adapters - at least one; equal names and lengths; weights ≥ 0 and not all 0
 * @returns the average, names in the first adapter's order
 * @throws InvalidInputError `ADAPTERS_DIFFER` naming tensor and adapter, `ADAPTER_WEIGHTS`
 * @example averageWeights([{ weight: 1, tensors: a }, { weight: 3, tensors: b }]) // (a + 3b) / 4
 */
export function averageWeights(adapters: readonly WeightedAdapter[]): Map<string, Float32Array> {
  const total = adapters.reduce((sum, { weight }) => sum + weight, 0);
  if (!(total > 0 && Number.isFinite(total)) || adapters.some(({ weight }) => !(weight >= 0)))
    throw new InvalidInputError(
      "ADAPTER_WEIGHTS",
      `expected weights of at least 0 with a positive sum, got ${adapters.map(({ weight }) => weight).join(", ")}`,
    );
  const [first, ...others] = adapters;
  others.forEach(({ tensors }, index) => {
    for (const name of new Set([...first.tensors.keys(), ...tensors.keys()])) {
      const expected = first.tensors.get(name)?.length;
      const got = tensors.get(name)?.length;
      if (expected !== got)
        throw new InvalidInputError(
          "ADAPTERS_DIFFER",
          `adapter ${index + 1}, ${name}: expected ${expected ?? "no"} numbers as in adapter 0, got ${got ?? "none"}`,
        );
    }
  });
  const averaged = new Map<string, Float32Array>();
  for (const [name, { length }] of first.tensors) {
    const sums = new Float64Array(length);
    for (const { weight, tensors } of adapters) {
      const values = tensors.get(name)!;
      for (let index = 0; index < length; index++) sums[index] += weight * values[index];
    }
    averaged.set(
      name,
      Float32Array.from(sums, (sum) => sum / total),
    );
  }
  return averaged;
}
