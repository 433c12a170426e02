import { TAIL_EPSILON } from "../core/distillation/sparse-distillation-loss.ts";
import type { GraphBuilder, Value } from "./graph/builder.ts";
import {
  add,
  addInRows,
  cast,
  concat,
  divide,
  elementwise,
  gatherInRows,
  multiply,
  reduce,
  subtract,
  unary,
  where,
  zerosLike,
} from "./graph/operators.ts";

/**
 * Least mass of a group that is compared; at and below it the group counts as this mass, 69 nats, and gives no gradient of its
 * own. Far enough above float32's least normal number (1.2e-38) that a mass divides a probability without overflow. Single
 * tokens need no such floor: their logarithm is taken of the logits, not of a mass.
 */
export const MASS_EPSILON = 1e-30;

/** What the label of each row costs. */
export interface LabelRows {
  /** [P, 1] */
  labels: Value;
  /** [P, 1] */
  weight: Value;
}

/** What each row learns of knowledge. */
export interface KnowledgeRows {
  /** [P, K] */
  entries: Value;
  /** [P, K] */
  probabilities: Value;
  /** [P, 1] */
  tail: Value;
  /** [P, 1] */
  weight: Value;
  /** [P, V] each row's token → group */
  partition: Value | null;
  /** [P, 1] 1 where the row's entries are groups; null: all rows are alike */
  grouped: Value | null;
}

/** softmax = exponentials / total, with the exponentials shared between loss and gradient. */
interface Softmax {
  /** [P, V] z − max z */
  shifted: Value;
  /** [P, V] its exp */
  exponentials: Value;
  /** [P, 1] their sum */
  total: Value;
  /** [P, 1] its logarithm: log softmax = shifted − logTotal */
  logTotal: Value;
}

/** Row by row, of z [P, V]. */
export function softmaxParts(graph: GraphBuilder, logits: Value): Softmax {
  return softmaxOf(graph, subtract(graph, logits, reduce(graph, "ReduceMax", logits, [1])));
}

function softmaxOf(graph: GraphBuilder, shifted: Value): Softmax {
  const exponentials = unary(graph, "Exp", shifted);
  const total = reduce(graph, "ReduceSum", exponentials, [1]);
  return { shifted, exponentials, total, logTotal: unary(graph, "Log", total) };
}

/**
 * Cross-entropy and distillation of each row, weighted, and their gradient by the logits.
 *
 * All that is as large as the logits is made so that ONNX Runtime can write it where the logits lay: what is picked of them is
 * picked before the exponentials, and the gradient is one product of the exponentials and a few additions in each row.
 *
 * @param logits - [P, V]
 * @returns [P, 1] and [P, V]
 */
export function rowLosses(
  graph: GraphBuilder,
  logits: Value,
  { labels, weight }: LabelRows,
  knowledge: KnowledgeRows | null,
  temperature: number,
): { loss: Value; ofLogits: Value } {
  const softmax = softmaxParts(graph, logits);
  const ofTokens = knowledge && (!knowledge.partition || knowledge.grouped);
  // labels and entries are picked at once: after the first picking the logits may be overwritten
  const picked = gatherInRows(graph, softmax.shifted, ofTokens ? joined(graph, labels, knowledge.entries) : labels);
  const ofLabels = ofTokens ? columns(graph, picked, 0, 1) : picked;
  const labelLoss = multiply(graph, weight, subtract(graph, softmax.logTotal, ofLabels));
  const labelColumn = divide(graph, weight, softmax.total);
  const towardsLabel = unary(graph, "Neg", weight);
  if (!knowledge) {
    const dense = multiply(graph, softmax.exponentials, labelColumn);
    return { loss: labelLoss, ofLogits: addInRows(graph, dense, labels, towardsLabel) };
  }
  const tempered =
    temperature === 1 ? softmax : softmaxOf(graph, multiply(graph, softmax.shifted, graph.scalar(1 / temperature)));
  const ofEntries = ofTokens ? columns(graph, picked, 1, END) : null;
  const kd = knowledgeLoss(graph, tempered, ofEntries, knowledge, temperature);
  const dense =
    tempered === softmax
      ? multiply(graph, softmax.exponentials, kd.factor(labelColumn))
      : add(
          graph,
          multiply(graph, softmax.exponentials, labelColumn),
          multiply(graph, tempered.exponentials, kd.factor(null)),
        );
  const ofLogits = kd.updates
    ? addInRows(graph, dense, joined(graph, labels, knowledge.entries), joined(graph, towardsLabel, kd.updates))
    : addInRows(graph, dense, labels, towardsLabel);
  return { loss: add(graph, labelLoss, kd.loss), ofLogits };
}

/**
 * Soft cross-entropy over kept entries and a tail. With c = tail / (1 − Σq), the derivative by a kept mass is
 * D_s = c − p_s / q_s, and through the softmax q_j·(D_j − Σ_s q_s D_s); for single tokens q_s·D_s = c·q_s − p_s is taken
 * without dividing, so that it holds where q underflows.
 *
 * @param ofEntries - [P, K] the untempered logits of the entries, shifted; null: entries are groups
 * @returns `factor`: what exponentials are multiplied by, with another column added; `updates`: what is added at the entries
 */
function knowledgeLoss(
  graph: GraphBuilder,
  { exponentials, total, logTotal }: Softmax,
  ofEntries: Value | null,
  { entries, probabilities, tail, weight: rowWeight, partition, grouped }: KnowledgeRows,
  temperature: number,
): { loss: Value; factor: (column: Value | null) => Value; updates: Value | null } {
  const one = graph.scalar(1);
  const isKept = graph.apply("GreaterOrEqual", [entries, graph.constant("int32", [], [0])], {
    type: "bool",
    shape: entries.shape,
  });
  const kept = cast(graph, isKept, "float32");

  const byToken = ofEntries && tokenMasses();
  const byGroup = partition && groupMasses(partition);
  const choose = (pick: "logs" | "masses" | "learned"): Value => {
    if (byToken && byGroup) return where(graph, cast(graph, grouped!, "bool"), byGroup[pick], byToken[pick]);
    return (byGroup ?? byToken!)[pick];
  };
  const logs = choose("logs");
  const masses = choose("masses");
  const learned = choose("learned");

  const mass = reduce(graph, "ReduceSum", masses, [1]);
  const rest = subtract(graph, one, mass);
  const floor = elementwise(graph, "Max", rest, graph.scalar(TAIL_EPSILON));
  const nats = add(
    graph,
    reduce(graph, "ReduceSum", multiply(graph, probabilities, logs), [1]),
    multiply(graph, tail, unary(graph, "Log", floor)),
  );
  const loss = unary(graph, "Neg", multiply(graph, rowWeight, nats));

  // what every gradient is multiplied by; the temperature divides the logits once
  const weight = temperature === 1 ? rowWeight : multiply(graph, rowWeight, graph.scalar(1 / temperature));
  const tailSlope = divide(graph, multiply(graph, tail, isAbove(graph, rest, TAIL_EPSILON)), floor);
  // −Σ_s q_s D_s
  const shared = subtract(graph, reduce(graph, "ReduceSum", learned, [1]), multiply(graph, tailSlope, mass));
  return { loss, factor, updates: byToken && tokenUpdates() };

  function tokenMasses() {
    const scaled = temperature === 1 ? ofEntries! : multiply(graph, ofEntries!, graph.scalar(1 / temperature));
    const tokenLogs = subtract(graph, scaled, logTotal);
    return { logs: tokenLogs, masses: multiply(graph, unary(graph, "Exp", tokenLogs), kept), learned: probabilities };
  }

  function groupMasses(groupOf: Value) {
    const all = addInRows(graph, zerosLike(graph, exponentials), groupOf, exponentials);
    const ofEntry = divide(graph, gatherInRows(graph, all, entries), total);
    const groupMass = multiply(graph, ofEntry, kept);
    const floored = elementwise(graph, "Max", groupMass, graph.scalar(MASS_EPSILON));
    const above = multiply(graph, probabilities, isAbove(graph, groupMass, MASS_EPSILON));
    return { logs: unary(graph, "Log", floored), masses: groupMass, floored, learned: above };
  }

  /** [P, 1], or [P, V] where groups pull at their tokens */
  function factor(column: Value | null): Value {
    const scale = divide(graph, weight, total);
    const ofAll = multiply(graph, shared, scale);
    const every = column ? add(graph, ofAll, column) : ofAll;
    if (!byGroup) return every;
    const ofMass = subtract(graph, tailSlope, divide(graph, byGroup.learned, byGroup.floored));
    const chosen = multiply(graph, grouped ? multiply(graph, scale, grouped) : scale, kept);
    const spread = graph.apply("Expand", [every, shapeOf(exponentials)], { shape: exponentials.shape });
    return gatherInRows(graph, addInRows(graph, spread, entries, multiply(graph, ofMass, chosen)), partition!);
  }

  function tokenUpdates(): Value {
    const pull = multiply(graph, subtract(graph, multiply(graph, tailSlope, masses), probabilities), weight);
    return grouped ? multiply(graph, pull, subtract(graph, one, grouped)) : pull;
  }

  function shapeOf(a: Value): Value {
    return graph.apply("Shape", [a], { type: "int64", shape: [a.shape.length] });
  }
}

/** ONNX: as far as there is. */
const END = 2 ** 31 - 1;

/** A column [P, 1] and a matrix [P, K] side by side. */
function joined(graph: GraphBuilder, column: Value, matrix: Value): Value {
  return concat(graph, [column, matrix], 1, "entriesAndLabel");
}

function columns(graph: GraphBuilder, a: Value, begin: number, end: number): Value {
  const shape = [a.shape[0], end === END ? "entries" : end - begin];
  return graph.apply("Slice", [a, graph.list([begin]), graph.list([end]), graph.list([1])], { shape });
}

/** 1 where a value lies above a bound, else 0. */
function isAbove(graph: GraphBuilder, a: Value, bound: number): Value {
  return cast(graph, graph.apply("Greater", [a, graph.scalar(bound)], { type: "bool", shape: a.shape }), "float32");
}
