import type { Dimension, GraphBuilder, Value } from "./graph/builder.ts";
import type { GradientSeed } from "./graph/gradient.ts";
import { concat, divide, gather, gemm, multiply, reduce, reshape, split, subtract, sum } from "./graph/operators.ts";
import { softcapped } from "./layers/softcap.ts";
import { type KnowledgeRows, rowLosses } from "./row-losses.ts";

/** What the knowledge of a training run speaks of: no knowledge, tokens, groups of tokens, or either, sample by sample. */
export type KnowledgeKind = "none" | "token" | "group" | "mixed";

export interface LossOptions {
  knowledge: KnowledgeKind;
  temperature: number;
  /** the rows are taken in so many parts, one after the other, so that [positions, V] never exists; positions is a multiple */
  chunks: number;
}

/** The LM head in a graph. */
export interface Head {
  /** [V, hidden] */
  weight: Value;
  /** logits become softcap·tanh(logits / softcap); null: they stay */
  softcap: number | null;
}

/** @param hidden - [P, hidden] @returns [P, V] */
export function headLogits(graph: GraphBuilder, hidden: Value, head: Head): Value {
  const logits = gemm(graph, hidden, head.weight, { transposeB: true });
  return head.softcap === null ? logits : softcapped(graph, logits, head.softcap);
}

/**
 * λ·CE + (1−λ)·KD with its own gradient, fused. Dimension letters: P positions, V vocabulary, K entries kept, G partitions.
 *
 *     loss = Σ_P labelWeight·(−log q_label) + knowledgeWeight·(−Σ_S p_s log q_s − tail·log max(1 − Σ_S q_s, ε))
 *
 * The weights, which the caller computes over a whole optimizer step, carry λ and the averaging. q is the softmax of the
 * logits, in KD that of logits / temperature; with a partition q_s is the sum over the tokens of group s.
 *
 * Feeds the graph takes: labels [P], labelWeights [P]; with knowledge entries [P, K] (−1: padding), probabilities [P, K],
 * tails [P], knowledgeWeights [P]; with groups partitions [G, V], partitionOfRow [P]; mixed, grouped [P] (1 or 0).
 *
 * @param hidden - [P, hidden]
 * @returns the loss, a scalar, and where the backward pass begins
 */
export function lossHead(
  graph: GraphBuilder,
  hidden: Value,
  head: Head,
  { chunks, knowledge, temperature }: LossOptions,
): { loss: Value; seeds: GradientSeed[] } {
  const { weight } = head;
  const hiddenSize = weight.shape[1] as number;
  const rows: Dimension = chunks === 1 ? "positions" : "chunk";
  const column = (name: string, type: "float32" | "int32") =>
    inChunks(graph, graph.input(name, type, ["positions"]), chunks).map((part) => reshape(graph, part, [rows, 1]));
  const matrix = (name: string, type: "float32" | "int32") =>
    inChunks(graph, graph.input(name, type, ["positions", "entries"]), chunks);
  const has = knowledge !== "none";
  const groups = knowledge === "group" || knowledge === "mixed";
  const parts = {
    hidden: inChunks(graph, hidden, chunks),
    labels: column("labels", "int32"),
    labelWeights: column("labelWeights", "float32"),
    entries: has ? matrix("entries", "int32") : [],
    probabilities: has ? matrix("probabilities", "float32") : [],
    tails: has ? column("tails", "float32") : [],
    knowledgeWeights: has ? column("knowledgeWeights", "float32") : [],
    partitionOfRow: groups ? inChunks(graph, graph.input("partitionOfRow", "int32", ["positions"]), chunks) : [],
    grouped: knowledge === "mixed" ? column("grouped", "float32") : [],
  };
  const partitions = groups ? graph.input("partitions", "int32", ["partitions", weight.shape[0]]) : null;
  const losses: Value[] = [];
  const hiddenGradients: Value[] = [];
  const weightGradients: Value[] = [];
  for (let chunk = 0; chunk < chunks; chunk++) {
    const x = parts.hidden[chunk];
    const logits = headLogits(graph, x, head);
    const labels = { labels: parts.labels[chunk], weight: parts.labelWeights[chunk] };
    const learned: KnowledgeRows | null = has
      ? {
          entries: parts.entries[chunk],
          probabilities: parts.probabilities[chunk],
          tail: parts.tails[chunk],
          weight: parts.knowledgeWeights[chunk],
          partition: partitions ? gather(graph, partitions, parts.partitionOfRow[chunk]) : null,
          grouped: parts.grouped[chunk] ?? null,
        }
      : null;
    const { loss, ofLogits } = rowLosses(graph, logits, labels, learned, temperature);
    const gradient = head.softcap === null ? ofLogits : throughSoftcap(graph, logits, head.softcap, ofLogits);
    if (weight.needsGradient) weightGradients.push(gemm(graph, gradient, x, { transposeA: true }));
    // joined and parted again: the loss is then computed before the gradient, which can take the logits' place in memory
    const joined = concat(graph, [gemm(graph, gradient, weight), loss], 1, hiddenSize + 1);
    const [ofHidden, lossOfRow] = split(graph, joined, [hiddenSize, 1], 1);
    losses.push(reduce(graph, "ReduceSum", lossOfRow, [0, 1], false));
    hiddenGradients.push(ofHidden);
  }
  const seeds = [{ value: hidden, gradient: concat(graph, hiddenGradients, 0, "positions") }];
  if (weight.needsGradient) seeds.push({ value: weight, gradient: sum(graph, weightGradients) });
  return { loss: sum(graph, losses), seeds };
}

/** From the gradient by softcap·tanh(z / softcap) that by z. */
function throughSoftcap(graph: GraphBuilder, capped: Value, cap: number, gradient: Value): Value {
  const share = divide(graph, capped, graph.scalar(cap));
  return multiply(graph, gradient, subtract(graph, graph.scalar(1), multiply(graph, share, share)));
}

/** Parts of equal size along axis 0. */
export function inChunks(graph: GraphBuilder, a: Value, chunks: number): Value[] {
  if (chunks === 1) return [a];
  const part = { type: a.type, shape: ["chunk", ...a.shape.slice(1)] };
  return graph.applyMany("Split", [a], Array(chunks).fill(part), { axis: 0, num_outputs: chunks });
}
