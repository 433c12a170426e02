import { InvariantError } from "../../core/errors.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { GRADIENT_RULES } from "./gradient-rules.ts";
import { sum, zerosLike } from "./operators.ts";

/** Where a backward pass begins: a value and its gradient, already in the graph. */
export interface GradientSeed {
  value: Value;
  gradient: Value;
}

/**
 * Appends the backward pass to a graph: walks its nodes back from the seeds, through values that need a gradient only, so
 * that nothing is computed for frozen weights nor below the first trainable one.
 *
 * @param wanted - values whose gradients are asked for; several paths to one are added up
 * @returns the gradients, in the order of `wanted`
 * @throws InvariantError `GRADIENT_RULE_MISSING` naming the operator; `GRADIENT_MISSING` where nothing leads to a value
 */
export function gradients(graph: GraphBuilder, seeds: readonly GradientSeed[], wanted: readonly Value[]): Value[] {
  const collected = new Map<string, Value[]>();
  const collect = (value: Value, gradient: Value) => {
    const known = collected.get(value.name);
    if (known) known.push(gradient);
    else collected.set(value.name, [gradient]);
  };
  const take = (value: Value): Value | null => {
    const found = collected.get(value.name);
    if (!found) return null;
    const total = sum(graph, found);
    collected.set(value.name, [total]);
    return total;
  };
  for (const seed of seeds) collect(seed.value, seed.gradient);
  const forward = [...graph.nodes];
  for (const node of forward.reverse()) {
    if (!node.outputs[0].needsGradient) continue;
    const found = node.outputs.map(take);
    if (found.every((gradient) => gradient === null)) continue;
    const rule = GRADIENT_RULES[node.operator];
    if (!rule) throw new InvariantError("GRADIENT_RULE_MISSING", `no gradient rule for the operator ${node.operator}`);
    const first = found[0] ?? zerosLike(graph, node.outputs[0]);
    rule(graph, node, first, found).forEach((ofInput, index) => {
      if (ofInput && node.inputs[index].needsGradient) collect(node.inputs[index], ofInput);
    });
  }
  return wanted.map((value) => {
    const gradient = take(value);
    if (!gradient) throw new InvariantError("GRADIENT_MISSING", `no path from the loss to ${value.name}`);
    return gradient;
  });
}
