import type { LinearSpec } from "../layers/layer-context.ts";
import type { WeightSpec } from "./architecture.ts";

/** The checkpoint's tensors of a linear layer. */
export function weightsOf({ name, in: inner, out, bias, layout }: LinearSpec): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: layout === "out-in" ? [out, inner] : [inner, out], initial: "normal" },
    ...(bias ? [{ name: `${name}.bias`, shape: [out], initial: "zeros" as const }] : []),
  ];
}
