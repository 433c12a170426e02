import type { OpenModel } from "../ports/engine.ts";
import { llamaHead, llamaHidden, llamaInputs, type Parameters } from "./architectures/llama.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { GraphBuilder, type Value } from "./graph/builder.ts";
import { gradients } from "./graph/gradient.ts";
import { cast, concat, gatherInRows, gemm, reshape, subtract } from "./graph/operators.ts";
import { loraNames } from "./lora-bank.ts";
import { inChunks, type LossOptions, lossHead, softmaxParts } from "./loss.ts";
import { declareBank, type ParameterBank } from "./parameter-bank.ts";

/** A model's weights: frozen ones in the checkpoint's file, trainable ones in the bank. */
export interface ModelParts {
  checkpoint: Checkpoint;
  bank: ParameterBank;
  lora: OpenModel["lora"];
}

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

/** Gives "logits" [positions, V]. */
export function logitsGraph(parts: ModelParts): GraphBuilder {
  const { graph, hidden, head } = forward(parts, false);
  graph.output("logits", gemm(graph, hidden, head, { transposeB: true }));
  return graph;
}

function forward(parts: ModelParts, trains: boolean) {
  const { checkpoint, bank, lora } = parts;
  const { config } = checkpoint;
  const graph = new GraphBuilder();
  const inputs = llamaInputs(graph, config);
  const trainable = declareBank(graph, bank, trains);
  const frozen = new Map<string, Value>();
  const parameters: Parameters = {
    weight(name) {
      const known = trainable.get(name) ?? frozen.get(name);
      if (known) return known;
      const value = checkpoint.external(graph, name);
      frozen.set(name, value);
      return value;
    },
    lora(linear) {
      const names = loraNames(linear);
      const down = trainable.get(names.down);
      const up = trainable.get(names.up);
      return down && up && lora ? { down, up, scale: lora.alpha / lora.rank } : null;
    },
  };
  const hidden = llamaHidden(graph, config, parameters, inputs);
  return { graph, trainable, hidden, head: parameters.weight(llamaHead(config)) };
}
