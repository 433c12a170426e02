import { TAIL_EPSILON } from "../core/distillation/sparse-distillation-loss.ts";
import type { Dimension, GraphBuilder, Value } from "./graph/builder.ts";
import type { GradientSeed } from "./graph/gradient.ts";
import {
  add,
  addInRows,
  cast,
  concat,
  divide,
  elementwise,
  gather,
  gatherInRows,
  gemm,
  multiply,
  reduce,
  reshape,
  subtract,
  sum,
  unary,
  zerosLike,
} from "./graph/operators.ts";

/** What the knowledge of a training run speaks of: no knowledge, tokens, groups of tokens, or either, sample by sample. */
export type KnowledgeKind = "none" | "token" | "group" | "mixed";

export interface LossOptions {
  knowledge: KnowledgeKind;
  temperature: number;
  /** the rows are taken in so many parts, one after the other, so that [positions, V] never exists; positions is a multiple */
  chunks: number;
}

/**
 * Least mass of a group that is compared; at and below it the group counts as this mass, 69 nats, and gives no gradient of its
 * own. Far enough above float32's least normal number (1.2e-38) that a mass divides a probability without overflow. Single
 * tokens need no such floor: their logarithm is taken of the logits, not of a mass.
 */
export const MASS_EPSILON = 1e-30;

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
 * @param weight - the LM head [V, hidden]
 * @returns the loss, a scalar, and where the backward pass begins
 */
export function lossHead(
  graph: GraphBuilder,
  hidden: Value,
  weight: Value,
  options: LossOptions,
): { loss: Value; seeds: GradientSeed[] } {
  const { chunks, knowledge } = options;
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
    const logits = gemm(graph, x, weight, { transposeB: true });
    const labels = labelLoss(graph, logits, parts.labels[chunk], parts.labelWeights[chunk]);
    let loss = labels.loss;
    let gradient: Value;
    if (has) {
      const kd = knowledgeLoss(graph, logits, labels.softmax, options.temperature, {
        entries: parts.entries[chunk],
        probabilities: parts.probabilities[chunk],
        tail: parts.tails[chunk],
        weight: parts.knowledgeWeights[chunk],
        partition: partitions ? gather(graph, partitions, parts.partitionOfRow[chunk]) : null,
        grouped: parts.grouped[chunk] ?? null,
      });
      loss = add(graph, loss, kd.loss);
      gradient = labels.gradient(kd.dense, kd.sparse);
    } else gradient = labels.gradient(null, null);
    losses.push(reduce(graph, "ReduceSum", loss, [0, 1], false));
    hiddenGradients.push(gemm(graph, gradient, weight));
    if (weight.needsGradient) weightGradients.push(gemm(graph, gradient, x, { transposeA: true }));
  }
  const seeds = [{ value: hidden, gradient: concat(graph, hiddenGradients, 0, "positions") }];
  if (weight.needsGradient) seeds.push({ value: weight, gradient: sum(graph, weightGradients) });
  return { loss: sum(graph, losses), seeds };
}

/** softmax = exponentials / total, with the exponentials shared between loss and gradient. */
interface Softmax {
  /** [P, V] exp(z − max z) */
  exponentials: Value;
  /** [P, 1] their sum */
  total: Value;
  /** [P, 1] log Σ exp z */
  logSumExp: Value;
}

/** Row by row, of z [P, V]. */
export function softmaxParts(graph: GraphBuilder, logits: Value): Softmax {
  const largest = reduce(graph, "ReduceMax", logits, [1]);
  const exponentials = unary(graph, "Exp", subtract(graph, logits, largest));
  const total = reduce(graph, "ReduceSum", exponentials, [1]);
  return { exponentials, total, logSumExp: add(graph, largest, unary(graph, "Log", total)) };
}

/** A gradient to be added in some columns of each row. */
interface SparseGradient {
  entries: Value;
  updates: Value;
}

/** Cross-entropy. `gradient` joins its gradient [P, V] with that of the knowledge, in one pass over the columns. */
function labelLoss(graph: GraphBuilder, logits: Value, labels: Value, weights: Value) {
  const softmax = softmaxParts(graph, logits);
  const nats = subtract(graph, softmax.logSumExp, gatherInRows(graph, logits, labels));
  const gradient = (dense: Value | null, sparse: SparseGradient | null): Value => {
    const own = multiply(graph, softmax.exponentials, divide(graph, weights, softmax.total));
    const both = dense ? add(graph, own, dense) : own;
    const ofLabel = addInRows(graph, both, labels, unary(graph, "Neg", weights));
    return sparse ? addInRows(graph, ofLabel, sparse.entries, sparse.updates) : ofLabel;
  };
  return { loss: multiply(graph, weights, nats), softmax, gradient };
}

interface KnowledgeRows {
  entries: Value;
  probabilities: Value;
  tail: Value;
  weight: Value;
  /** [P, V] each row's token → group */
  partition: Value | null;
  /** [P, 1] 1 where the row's entries are groups; null: all rows are alike */
  grouped: Value | null;
}

/**
 * Soft cross-entropy over kept entries and a tail. With c = tail / (1 − Σq), the derivative by a kept mass is
 * D_s = c − p_s / q_s, and through the softmax q_j·(D_j − Σ_s q_s D_s); for single tokens q_s·D_s = c·q_s − p_s is taken
 * without dividing, so that it holds where q underflows.
 */
function knowledgeLoss(
  graph: GraphBuilder,
  logits: Value,
  untempered: Softmax,
  temperature: number,
  rows: KnowledgeRows,
): { loss: Value; dense: Value; sparse: SparseGradient | null } {
  const { entries, probabilities, partition, grouped } = rows;
  const one = graph.scalar(1);
  const tempered = temperature === 1 ? logits : multiply(graph, logits, graph.scalar(1 / temperature));
  const softmax = temperature === 1 ? untempered : softmaxParts(graph, tempered);
  const q = divide(graph, softmax.exponentials, softmax.total);
  const kept = cast(
    graph,
    graph.apply("GreaterOrEqual", [entries, graph.constant("int32", [], [0])], { type: "bool", shape: entries.shape }),
    "float32",
  );

  const tokens = () => {
    const logs = subtract(graph, gatherInRows(graph, tempered, entries), softmax.logSumExp);
    return { logs, masses: multiply(graph, unary(graph, "Exp", logs), kept), learned: probabilities };
  };
  const groups = (ofTokens: Value) => {
    const all = addInRows(graph, zerosLike(graph, q), ofTokens, q);
    const masses = multiply(graph, gatherInRows(graph, all, entries), kept);
    const floored = elementwise(graph, "Max", masses, graph.scalar(MASS_EPSILON));
    const learned = multiply(graph, probabilities, isAbove(graph, masses, MASS_EPSILON));
    return { logs: unary(graph, "Log", floored), masses, floored, learned };
  };
  const byToken = !partition || grouped ? tokens() : null;
  const byGroup = partition ? groups(partition) : null;
  const choose = (pick: "logs" | "masses" | "learned"): Value => {
    if (byToken && byGroup) return blend(graph, grouped!, byGroup[pick], byToken[pick]);
    return (byGroup ?? byToken!)[pick];
  };
  const logs = choose("logs");
  const masses = choose("masses");
  const learned = choose("learned");

  const total = reduce(graph, "ReduceSum", masses, [1]);
  const rest = subtract(graph, one, total);
  const floor = elementwise(graph, "Max", rest, graph.scalar(TAIL_EPSILON));
  const nats = add(
    graph,
    reduce(graph, "ReduceSum", multiply(graph, probabilities, logs), [1]),
    multiply(graph, rows.tail, unary(graph, "Log", floor)),
  );
  const loss = unary(graph, "Neg", multiply(graph, rows.weight, nats));

  // what every gradient is multiplied by; the temperature divides the logits once
  const weight = temperature === 1 ? rows.weight : multiply(graph, rows.weight, graph.scalar(1 / temperature));
  const tailSlope = divide(graph, multiply(graph, rows.tail, isAbove(graph, rest, TAIL_EPSILON)), floor);
  // −Σ_s q_s D_s
  const shared = subtract(graph, reduce(graph, "ReduceSum", learned, [1]), multiply(graph, tailSlope, total));
  let slope = shared;
  if (byGroup) {
    const ofMass = subtract(graph, tailSlope, divide(graph, byGroup.learned, byGroup.floored));
    const ofEntries = multiply(graph, grouped ? multiply(graph, ofMass, grouped) : ofMass, kept);
    const ofGroups = addInRows(graph, zerosLike(graph, q), entries, ofEntries);
    slope = add(graph, shared, gatherInRows(graph, ofGroups, partition!));
  }
  const dense = multiply(graph, q, multiply(graph, slope, weight));
  if (!byToken) return { loss, dense, sparse: null };
  let updates = multiply(graph, subtract(graph, multiply(graph, tailSlope, byToken.masses), probabilities), weight);
  if (grouped) updates = multiply(graph, updates, subtract(graph, one, grouped));
  return { loss, dense, sparse: { entries, updates } };
}

/** 1 where a value lies above a bound, else 0. */
function isAbove(graph: GraphBuilder, a: Value, bound: number): Value {
  return cast(graph, graph.apply("Greater", [a, graph.scalar(bound)], { type: "bool", shape: a.shape }), "float32");
}

/** The rows of one where the column says 1, of the other where it says 0. */
function blend(graph: GraphBuilder, column: Value, one: Value, other: Value): Value {
  return graph.apply("Where", [cast(graph, column, "bool"), one, other], { shape: one.shape });
}

/** Parts of equal size along axis 0. */
export function inChunks(graph: GraphBuilder, a: Value, chunks: number): Value[] {
  if (chunks === 1) return [a];
  const part = { type: a.type, shape: ["chunk", ...a.shape.slice(1)] };
  return graph.applyMany("Split", [a], Array(chunks).fill(part), { axis: 0, num_outputs: chunks });
}
