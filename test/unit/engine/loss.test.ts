import { describe, expect, it } from "@jest/globals";
import { crossEntropy } from "../../../shared/src/core/distillation/cross-entropy.ts";
import { sparseDistillationLoss } from "../../../shared/src/core/distillation/sparse-distillation-loss.ts";
import { GraphBuilder } from "../../../shared/src/engine/graph/builder.ts";
import { type KnowledgeKind, lossHead } from "../../../shared/src/engine/loss.ts";
import { MASS_EPSILON } from "../../../shared/src/engine/row-losses.ts";
import type { HostTensor } from "../../../shared/src/engine/session.ts";
import { runGraph, wave } from "./run-graph.ts";

const POSITIONS = 4;
const HIDDEN = 3;
const VOCABULARY = 6;
const KEPT = 3;
const PARTITIONS = [
  [0, 0, 1, 1, 2, 3],
  [0, 1, 0, 1, 0, 1],
];

/** Position 1 has no knowledge, position 2 fewer entries. */
const knowledge = {
  entries: [0, 2, 3, -1, -1, -1, 1, -1, -1, 0, 1, 3],
  probabilities: [0.5, 0.2, 0.1, 0, 0, 0, 0.6, 0, 0, 0.3, 0.3, 0.3],
  tails: [0.2, 0, 0.4, 0.1],
  knowledgeWeights: [0.25, 0, 0.25, 0.5],
  partitionOfRow: [0, 0, 1, 0],
  grouped: [1, 0, 1, 0],
};
const labels = [0, 5, 3, 2];
const labelWeights = [0.1, 0.2, 0, 0.3];

/** The definition's loss and gradient (`core/distillation`), one position after the other, in float64. */
function definition(hidden: Float32Array, weight: Float32Array, kind: KnowledgeKind, temperature: number) {
  const total = { loss: 0, ofHidden: new Float64Array(hidden.length), ofWeight: new Float64Array(weight.length) };
  for (let row = 0; row < POSITIONS; row++) {
    const x = hidden.subarray(row * HIDDEN, (row + 1) * HIDDEN);
    const logits = Array.from({ length: VOCABULARY }, (_, token) =>
      x.reduce((sum, value, at) => sum + value * weight[token * HIDDEN + at], 0),
    );
    const label = crossEntropy(logits, labels[row]);
    const learned = kind === "none" ? null : distillation(logits, row, kind, temperature);
    const share = knowledge.knowledgeWeights[row];
    total.loss += labelWeights[row] * label.loss + share * (learned?.loss ?? 0);
    for (let token = 0; token < VOCABULARY; token++) {
      const slope = labelWeights[row] * label.gradient[token] + share * (learned?.gradient[token] ?? 0);
      for (let at = 0; at < HIDDEN; at++) {
        total.ofHidden[row * HIDDEN + at] += slope * weight[token * HIDDEN + at];
        total.ofWeight[token * HIDDEN + at] += slope * x[at];
      }
    }
  }
  return total;
}

function distillation(logits: number[], row: number, kind: KnowledgeKind, temperature: number) {
  const kept = [0, 1, 2].map((at) => row * KEPT + at).filter((at) => knowledge.entries[at] >= 0);
  const target = {
    entries: kept.map((at) => knowledge.entries[at]),
    probabilities: kept.map((at) => knowledge.probabilities[at]),
    tail: knowledge.tails[row],
  };
  const byGroup = kind === "group" || (kind === "mixed" && knowledge.grouped[row] === 1);
  const groups = byGroup ? PARTITIONS[knowledge.partitionOfRow[row]] : null;
  return sparseDistillationLoss(logits, target, temperature, groups);
}

async function fusedLoss(
  hidden: Float32Array,
  weight: Float32Array,
  kind: KnowledgeKind,
  temperature: number,
  chunks: number,
  softcap: number | null = null,
) {
  const graph = new GraphBuilder();
  const x = graph.input("hidden", "float32", ["positions", HIDDEN], true);
  const w = graph.input("weight", "float32", [VOCABULARY, HIDDEN], true);
  const { loss, seeds } = lossHead(graph, x, { weight: w, softcap }, { knowledge: kind, temperature, chunks });
  graph.output("loss", loss);
  graph.output("ofHidden", seeds[0].gradient);
  graph.output("ofWeight", seeds[1].gradient);
  const floats = (data: number[], shape: number[]) => ({ data: Float32Array.from(data), shape });
  const integers = (data: number[], shape: number[]) => ({ data: Int32Array.from(data), shape });
  const all: Record<string, HostTensor> = {
    hidden: { data: hidden, shape: [POSITIONS, HIDDEN] },
    weight: { data: weight, shape: [VOCABULARY, HIDDEN] },
    labels: integers(labels, [POSITIONS]),
    labelWeights: floats(labelWeights, [POSITIONS]),
    entries: integers(knowledge.entries, [POSITIONS, KEPT]),
    probabilities: floats(knowledge.probabilities, [POSITIONS, KEPT]),
    tails: floats(knowledge.tails, [POSITIONS]),
    knowledgeWeights: floats(knowledge.knowledgeWeights, [POSITIONS]),
    partitions: integers(PARTITIONS.flat(), [2, VOCABULARY]),
    partitionOfRow: integers(knowledge.partitionOfRow, [POSITIONS]),
    grouped: floats(knowledge.grouped, [POSITIONS]),
  };
  return runGraph(graph, Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]])));
}

const hidden = wave(POSITIONS * HIDDEN, 1);
const weight = wave(VOCABULARY * HIDDEN, 2);

describe("the loss head", () => {
  const kinds: [KnowledgeKind, number][] = [
    ["none", 1],
    ["token", 1],
    ["token", 2],
    ["group", 1],
    ["group", 0.5],
    ["mixed", 1],
    ["mixed", 3],
  ];

  it.each(kinds)("gives the loss of the definition, with %s knowledge at temperature %d", async (kind, temperature) => {
    const { loss } = await fusedLoss(hidden, weight, kind, temperature, 1);
    expect(loss.data[0]).toBeCloseTo(definition(hidden, weight, kind, temperature).loss, 5);
  });

  it.each(kinds)(
    "has the gradient of the definition, with %s knowledge at temperature %d",
    async (kind, temperature) => {
      const { ofHidden, ofWeight } = await fusedLoss(hidden, weight, kind, temperature, 1);
      const expected = definition(hidden, weight, kind, temperature);
      expected.ofHidden.forEach((slope, at) => {
        expect(ofHidden.data[at]).toBeCloseTo(slope, 6);
      });
      expected.ofWeight.forEach((slope, at) => {
        expect(ofWeight.data[at]).toBeCloseTo(slope, 6);
      });
    },
  );

  it.each(kinds)("is the same in chunks, with %s knowledge at temperature %d", async (kind, temperature) => {
    const whole = await fusedLoss(hidden, weight, kind, temperature, 1);
    const parts = await fusedLoss(hidden, weight, kind, temperature, 2);
    for (const name of ["loss", "ofHidden", "ofWeight"])
      whole[name].data.forEach((value, at) => {
        expect(parts[name].data[at]).toBeCloseTo(value, 6);
      });
  });

  it("goes through a head that caps its logits", async () => {
    const cap = 1.5;
    const whole = await fusedLoss(hidden, weight, "token", 2, 1, cap);
    const step = 1e-2;
    for (let at = 0; at < hidden.length; at++) {
      const moved = (by: number) => fusedLoss(hidden.with(at, hidden[at] + by), weight, "token", 2, 1, cap);
      const [above, below] = [await moved(step), await moved(-step)];
      expect(whole.ofHidden.data[at]).toBeCloseTo((above.loss.data[0] - below.loss.data[0]) / (2 * step), 3);
    }
  });

  it("stays finite where the model is certain, and pulls no tail that is already empty", async () => {
    const certain = weight.map((value) => value * 300);
    const { loss, ofHidden } = await fusedLoss(hidden, certain, "mixed", 1, 1);
    expect(Number.isFinite(loss.data[0])).toBe(true);
    expect([...ofHidden.data].every(Number.isFinite)).toBe(true);
  });
});

describe("a row whose model is all but certain of one token", () => {
  const entries = [0, 1];
  const probabilities = [0.25, 0.5];
  const tail = 0.25;

  /** Learns entries 0 and 1; partition: each token its own group, but tokens 2 and 3, which share one. */
  async function learn(kind: "token" | "group", logits: number[]) {
    const graph = new GraphBuilder();
    const x = graph.input("hidden", "float32", ["positions", 1], true);
    const w = graph.input("weight", "float32", [logits.length, 1], true);
    const { loss, seeds } = lossHead(
      graph,
      x,
      { weight: w, softcap: null },
      { knowledge: kind, temperature: 1, chunks: 1 },
    );
    graph.output("loss", loss);
    graph.output("ofLogits", seeds[1].gradient);
    const float = (data: number[], ...shape: number[]) => ({ data: Float32Array.from(data), shape });
    const whole = (data: number[], ...shape: number[]) => ({ data: Int32Array.from(data), shape });
    const all: Record<string, HostTensor> = {
      hidden: float([1], 1, 1),
      weight: float(logits, logits.length, 1),
      labels: whole([0], 1),
      labelWeights: float([0], 1),
      entries: whole(entries, 1, 2),
      probabilities: float(probabilities, 1, 2),
      tails: float([tail], 1),
      knowledgeWeights: float([1], 1),
      partitions: whole([0, 1, 2, 2], 1, 4),
      partitionOfRow: whole([0], 1),
    };
    const results = await runGraph(graph, Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]])));
    return { loss: results.loss.data[0], gradient: [...results.ofLogits.data] };
  }

  it("pays a group without mass as one of 1e-30, and takes no gradient from it", async () => {
    const logits = [0, -200, -1, -2];
    const { loss, gradient } = await learn("group", logits);
    const without = sparseDistillationLoss(logits, { entries, probabilities: [0.25, 0], tail }, 1, [0, 1, 2, 2]);
    expect(loss).toBeCloseTo(without.loss - 0.5 * Math.log(MASS_EPSILON), 3);
    gradient.forEach((slope, at) => {
      expect(slope).toBeCloseTo(without.gradient[at], 6);
    });
  });

  it("pulls at a group of little mass as hard as the definition, and never harder than its probability", async () => {
    for (const logit of [-20, -40, -60, -68]) {
      const logits = [0, logit, -1, -2];
      const { loss, gradient } = await learn("group", logits);
      const expected = sparseDistillationLoss(logits, { entries, probabilities, tail }, 1, [0, 1, 2, 2]);
      expect(loss).toBeCloseTo(expected.loss, 4);
      gradient.forEach((slope, at) => {
        expect(slope).toBeCloseTo(expected.gradient[at], 5);
        expect(Math.abs(slope)).toBeLessThanOrEqual(1);
      });
    }
  });

  it("pulls at a single token however little mass it has", async () => {
    const logits = [0, -200, -1, -2];
    const { loss, gradient } = await learn("token", logits);
    const expected = sparseDistillationLoss(logits, { entries, probabilities, tail }, 1, null);
    expect(loss).toBeCloseTo(expected.loss, 3);
    expect(gradient[1]).toBeCloseTo(-0.5, 6);
    gradient.forEach((slope, at) => {
      expect(slope).toBeCloseTo(expected.gradient[at], 5);
    });
  });

  it("stays finite and bounded at any certainty", async () => {
    for (const kind of ["token", "group"] as const)
      for (const logit of [-80, -100, -104, -1e3, -1e6]) {
        const { loss, gradient } = await learn(kind, [0, logit, logit, logit]);
        expect(Number.isFinite(loss)).toBe(true);
        for (const slope of gradient) expect(Math.abs(slope)).toBeLessThanOrEqual(1);
      }
  });
});
