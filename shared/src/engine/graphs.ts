import type { GraphBuilder, GraphNode, Value } from "./graph/builder.ts";
import { gradients } from "./graph/gradient.ts";
import { cast, concat, gather, gatherInRows, reshape, subtract, unary } from "./graph/operators.ts";
import { type Head, headLogits, inChunks, type LossOptions, lossHead } from "./loss.ts";
import { ModelGraph, type ModelParts } from "./model-graph.ts";
import type { BankEntry } from "./parameter-bank.ts";
import { softmaxParts } from "./row-losses.ts";

export interface TrainingGraphOptions extends LossOptions {
  /** Whether the backward pass computes each block once more from its input, instead of keeping what it computed. */
  checkpointing: boolean;
}

/** What costs little to compute once more from what is kept anyway: it is never kept for the backward pass. */
const CHEAP = new Set([
  "QuickGelu",
  "Gelu",
  "Relu",
  "Mul",
  "Where",
  "SimplifiedLayerNormalization",
  "LayerNormalization",
]);

/** Gives "loss" and, as one vector in the bank's order, "gradient". */
export function trainingGraph(parts: ModelParts, options: TrainingGraphOptions): GraphBuilder {
  const { graph, trainable, hidden, head, inBlocks } = forward(parts, true);
  const { loss, seeds } = lossHead(graph, hidden, head, options);
  const { entries, values } = parts.bank;
  const wanted = entries.map((entry) => trainable.get(entry.name)!);
  const isRepeated = (node: GraphNode) => inBlocks.has(node) && (options.checkpointing || CHEAP.has(node.operator));
  const found = gradients(graph, seeds, wanted, isRepeated);
  const flat = new Map<BankEntry, Value>();
  // ONNX Runtime computes the last written of the gradients first: that of the last block, before what it needs piles up
  for (const index of byComputation(graph, found).reverse())
    flat.set(entries[index], reshape(graph, found[index], [entries[index].length]));
  graph.output("loss", loss);
  graph.output(
    "gradient",
    concat(
      graph,
      entries.map((entry) => flat.get(entry)!),
      0,
      values.length,
    ),
  );
  graph.prune();
  return graph;
}

/** The values' indices in the order in which their nodes stand in the graph. */
function byComputation(graph: GraphBuilder, values: readonly Value[]): number[] {
  const places = new Map(
    graph.nodes.flatMap(({ outputs }, place) => outputs.map(({ name }) => [name, place] as const)),
  );
  const placeOf = (index: number) => places.get(values[index].name) ?? -1;
  return values.map((_, index) => index).sort((a, b) => placeOf(a) - placeOf(b));
}

/** Takes "labels" [positions]; gives "labelLogProbs" [positions, 1] and, where kept > 0, "topLogProbs", "topIds" [positions, kept]. */
export function scoringGraph(parts: ModelParts, kept: number, chunks: number): GraphBuilder {
  const { graph, hidden, head } = forward(parts, false);
  const labels = inChunks(graph, graph.input("labels", "int32", ["positions"]), chunks);
  const results = { labelLogProbs: [] as Value[], topLogProbs: [] as Value[], topIds: [] as Value[] };
  inChunks(graph, hidden, chunks).forEach((part, index) => {
    const { shifted, logTotal } = softmaxParts(graph, headLogits(graph, part, head));
    // top-K of log-probabilities, not of logits: distinct logits may round to one log-probability, and ties go to the lower id
    const logProbs = subtract(graph, shifted, logTotal);
    const column = reshape(graph, labels[index], [part.shape[0], 1]);
    results.labelLogProbs.push(gatherInRows(graph, logProbs, column));
    if (kept === 0) return;
    const shape = [part.shape[0], kept];
    const [values, ids] = graph.applyMany(
      "TopK",
      [logProbs, graph.list([kept])],
      [{ shape }, { type: "int64", shape }],
      { axis: -1, largest: 1, sorted: 1 },
    );
    results.topLogProbs.push(values);
    results.topIds.push(cast(graph, ids, "int32"));
  });
  for (const [name, values] of Object.entries(results))
    if (values.length) graph.output(name, concat(graph, values, 0, "positions"));
  return graph;
}

/** Gives "logits" [positions, V]. */
export function logitsGraph(parts: ModelParts): GraphBuilder {
  const { graph, hidden, head } = forward(parts, false);
  graph.output("logits", headLogits(graph, hidden, head));
  return graph;
}

/**
 * Goes on with texts whose keys and values are kept: {@link ModelGraph}. Gives "logits" [positions, V] and what is needed of them
 * most, so that they need not be looked at on the host: "likeliest" [positions, 1], ties to the lower id, "largest" [positions, 1]
 * its logit, "logTotal" [positions, 1] such that a log-probability is logit − largest − logTotal. "fresh" are the new tokens' keys
 * and values, [blocks × 2 × batch, keyValueHeads, tokens, headSize].
 *
 * @param adapted - names of the linear layers that take LoRA
 */
export function continuationGraph(parts: ModelParts, adapted: ReadonlySet<string>): GraphBuilder {
  const { graph, hidden, head, fresh } = forward(parts, false, adapted);
  const logits = headLogits(graph, hidden, head);
  const column = { type: "int64", shape: [logits.shape[0], 1] } as const;
  const likeliest = graph.apply("ArgMax", [logits], column, { axis: 1, keepdims: 1, select_last_index: 0 });
  // summed row by row, whatever the number of rows
  const logProbs = graph.apply("LogSoftmax", [logits], { shape: logits.shape }, { axis: 1 });
  graph.output("logits", logits);
  graph.output("likeliest", cast(graph, likeliest, "int32"));
  graph.output("largest", gatherInRows(graph, logits, likeliest));
  graph.output("logTotal", unary(graph, "Neg", gatherInRows(graph, logProbs, likeliest)));
  graph.output("fresh", concat(graph, fresh, 0, "fresh"));
  return graph;
}

function forward(parts: ModelParts, trains: boolean, adapted: ReadonlySet<string> | null = null) {
  const model = new ModelGraph(parts, trains, adapted);
  const { graph, architecture, trainable } = model;
  let hidden = architecture.embed(model);
  const inBlocks = new Set<GraphNode>();
  for (let index = 0; index < architecture.blocks; index++) {
    const begin = graph.nodes.length;
    hidden = architecture.block(model, hidden, index);
    for (const node of graph.nodes.slice(begin)) if (!node.outputs.includes(hidden)) inBlocks.add(node);
  }
  const last = architecture.finish(model, gather(graph, hidden, model.rows));
  const head: Head = { weight: model.weight(architecture.head.weight), softcap: architecture.head.softcap };
  /** inBlocks: the blocks' nodes but those that give what the next block takes */
  return { graph, trainable, hidden: last, head, inBlocks, fresh: model.fresh };
}
