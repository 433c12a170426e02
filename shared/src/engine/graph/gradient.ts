import { InvariantError } from "../../core/errors.ts";
import type { GraphBuilder, GraphNode, Value } from "./builder.ts";
import { GRADIENT_RULES, PAIR_RULES } from "./gradient-rules.ts";
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
 * @param isRepeated - nodes whose first output (of a Split, all of them) is forgotten after the forward pass: where the backward pass needs it, they are
 *   written once more (activation checkpointing). The results are the same, bit by bit
 * @returns the gradients, in the order of `wanted`
 * @throws InvariantError `GRADIENT_RULE_MISSING` naming the operator; `GRADIENT_MISSING` where nothing leads to a value
 */
export function gradients(
  graph: GraphBuilder,
  seeds: readonly GradientSeed[],
  wanted: readonly Value[],
  isRepeated: (node: GraphNode) => boolean = () => false,
): Value[] {
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
  const give = (inputs: readonly Value[], ofInputs: readonly (Value | null)[]) =>
    ofInputs.forEach((gradient, index) => {
      if (gradient && inputs[index].needsGradient) collect(inputs[index], gradient);
    });
  for (const seed of seeds) collect(seed.value, seed.gradient);
  const forward = [...graph.nodes];
  const again = repeater(graph, forward.filter(isRepeated));
  const seen = (node: GraphNode) => ({ ...node, inputs: node.inputs.map(again), outputs: node.outputs.map(again) });
  const partner = partners(forward);
  for (const node of forward.reverse()) {
    if (!node.outputs[0].needsGradient) continue;
    const found = node.outputs.map(take);
    if (found.every((gradient) => gradient === null)) continue;
    const first = found[0] ?? zerosLike(graph, node.outputs[0]);
    const before = partner(node);
    const pairRule = before && PAIR_RULES[`${before.operator} ${node.operator}`];
    if (pairRule) {
      const inputs = [...before.inputs, ...node.inputs.slice(1)];
      give(inputs, pairRule(graph, seen(before), seen(node), first));
      continue;
    }
    const rule = GRADIENT_RULES[node.operator];
    if (!rule) throw new InvariantError("GRADIENT_RULE_MISSING", `no gradient rule for the operator ${node.operator}`);
    give(node.inputs, rule(graph, seen(node), first, found));
  }
  return wanted.map((value) => {
    const gradient = take(value);
    if (!gradient) throw new InvariantError("GRADIENT_MISSING", `no path from the loss to ${value.name}`);
    return gradient;
  });
}

/** @returns from a node the one that made its first input, if nothing else takes that */
function partners(nodes: readonly GraphNode[]): (node: GraphNode) => GraphNode | null {
  const makers = new Map(nodes.map((node) => [node.outputs[0].name, node]));
  const uses = new Map<string, number>();
  for (const { name } of nodes.flatMap(({ inputs }) => inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return ({ inputs: [input] }) => (input && uses.get(input.name) === 1 && makers.get(input.name)) || null;
}

/** @returns from a value the one that takes its place in the backward pass: itself, or what a repeated node gives again */
function repeater(graph: GraphBuilder, nodes: readonly GraphNode[]): (value: Value) => Value {
  // the other outputs of a norm are small, and kept; those of a Split are parts of one thing
  const forgotten = ({ operator, outputs }: GraphNode) => (operator === "Split" ? outputs : outputs.slice(0, 1));
  const makers = new Map(nodes.flatMap((node) => forgotten(node).map(({ name }) => [name, node])));
  const made = new Map<string, Value>();
  return function again(value) {
    const node = makers.get(value.name);
    if (!node) return value;
    const known = made.get(value.name);
    if (known) return known;
    const { operator, outputs, attributes, domain } = node;
    const repeated = graph.applyMany(operator, node.inputs.map(again), outputs, attributes, domain);
    forgotten(node).forEach(({ name }, index) => {
      made.set(name, repeated[index]);
    });
    return made.get(value.name)!;
  };
}
