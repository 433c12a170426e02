import type { GraphBuilder, Value } from "./graph/builder.ts";
import { gradients } from "./graph/gradient.ts";
import { cast, concat, gather, gatherInRows, gemm, reshape, subtract } from "./graph/operators.ts";
import { inChunks, type LossOptions, lossHead, softmaxParts } from "./loss.ts";
import { ModelGraph, type ModelParts } from "./model-graph.ts";

/** Gives "loss" and, as one vector in the bank's order, "gradient". */
export function trainingGraph(parts: ModelParts, options: LossOptions): GraphBuilder {
  const { graph, trainable, hidden, head } = forward(parts, true);
  const { loss, seeds } = lossHead(graph, hidden, head, options);
  const wanted = parts.bank.entries.map((entry) => trainable.get(entry.name)!);
  const flat = gradients(graph, seeds, wanted).map((gradient, index) =>
    reshape(graph, gradient, [parts.bank.entries[index].length]),
  );
  graph.output("loss", loss);
  graph.output("gradient", concat(graph, flat, 0, parts.bank.values.length));
  return graph;
}

/** Takes "labels" [positions]; gives "labelLogProbs" [positions, 1] and, where kept > 0, "topLogProbs", "topIds" [positions, kept]. */
export function scoringGraph(parts: ModelParts, kept: number, chunks: number): GraphBuilder {
  const { graph, hidden, head } = forward(parts, false);
  const labels = inChunks(graph, graph.input("labels", "int32", ["positions"]), chunks);
  const results = { labelLogProbs: [] as Value[], topLogProbs: [] as Value[], topIds: [] as Value[] };
  inChunks(graph, hidden, chunks).forEach((part, index) => {
    const logits = gemm(graph, part, head, { transposeB: true });
    // top-K of log-probabilities, not of logits: distinct logits may round to one log-probability, and ties go to the lower id
    const logProbs = subtract(graph, logits, softmaxParts(graph, logits).logSumExp);
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

/** Gives "logits" [positions, V]. @param keeps - whether it goes on with a text whose keys and values are kept */
export function logitsGraph(parts: ModelParts, keeps = false): GraphBuilder {
  const { graph, hidden, head } = forward(parts, false, keeps);
  graph.output("logits", gemm(graph, hidden, head, { transposeB: true }));
  return graph;
}

function forward(parts: ModelParts, trains: boolean, keeps = false) {
  const model = new ModelGraph(parts, trains, keeps);
  const { graph, architecture, trainable } = model;
  let hidden = architecture.embed(model);
  for (let index = 0; index < architecture.blocks; index++) hidden = architecture.block(model, hidden, index);
  const last = architecture.finish(model, gather(graph, hidden, model.rows));
  return { graph, trainable, hidden: last, head: model.weight(architecture.head.weight) };
}
