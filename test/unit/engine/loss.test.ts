import { describe, expect, it } from "@jest/globals";
import { GraphBuilder } from "../../../shared/src/engine/graph/builder.ts";
import { type KnowledgeKind, lossHead, TAIL_EPSILON } from "../../../shared/src/engine/loss.ts";
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

/** The definition, one position after the other, in float64. */
function naiveLoss(hidden: Float32Array, weight: Float32Array, kind: KnowledgeKind, temperature: number): number {
  let loss = 0;
  for (let row = 0; row < POSITIONS; row++) {
    const logits = Array.from({ length: VOCABULARY }, (_, token) => {
      let sum = 0;
      for (let at = 0; at < HIDDEN; at++) sum += hidden[row * HIDDEN + at] * weight[token * HIDDEN + at];
      return sum;
    });
    loss -= labelWeights[row] * Math.log(softmax(logits)[labels[row]]);
    if (kind === "none") continue;
    const q = softmax(logits.map((logit) => logit / temperature));
    const byGroup = kind === "group" || (kind === "mixed" && knowledge.grouped[row] === 1);
    let nats = 0;
    let rest = 1;
    for (let at = row * KEPT; at < (row + 1) * KEPT; at++) {
      const entry = knowledge.entries[at];
      if (entry < 0) continue;
      const partition = PARTITIONS[knowledge.partitionOfRow[row]];
      const mass = byGroup ? q.reduce((sum, p, token) => sum + (partition[token] === entry ? p : 0), 0) : q[entry];
      nats -= knowledge.probabilities[at] * Math.log(mass);
      rest -= mass;
    }
    loss += knowledge.knowledgeWeights[row] * (nats - knowledge.tails[row] * Math.log(Math.max(rest, TAIL_EPSILON)));
  }
  return loss;
}

function softmax(logits: number[]): number[] {
  const exponentials = logits.map(Math.exp);
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

async function fusedLoss(
  hidden: Float32Array,
  weight: Float32Array,
  kind: KnowledgeKind,
  temperature: number,
  chunks: number,
) {
  const graph = new GraphBuilder();
  const x = graph.input("hidden", "float32", ["positions", HIDDEN], true);
  const w = graph.input("weight", "float32", [VOCABULARY, HIDDEN], true);
  const { loss, seeds } = lossHead(graph, x, w, { knowledge: kind, temperature, chunks });
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

/** Entry 3 of row 2 is no group of partition 1, and so never occurs. */
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
    expect(loss.data[0]).toBeCloseTo(naiveLoss(hidden, weight, kind, temperature), 5);
  });

  it.each(kinds)(
    "has the gradient of the definition, with %s knowledge at temperature %d",
    async (kind, temperature) => {
      const { ofHidden, ofWeight } = await fusedLoss(hidden, weight, kind, temperature, 1);
      const step = 1e-3;
      const slope = (values: Float32Array, at: number) => {
        const kept = values[at];
        values[at] = kept + step;
        const above = { loss: naiveLoss(hidden, weight, kind, temperature), at: values[at] };
        values[at] = kept - step;
        const below = { loss: naiveLoss(hidden, weight, kind, temperature), at: values[at] };
        values[at] = kept;
        return (above.loss - below.loss) / (above.at - below.at);
      };
      for (let at = 0; at < hidden.length; at++) expect(ofHidden.data[at]).toBeCloseTo(slope(hidden, at), 4);
      for (let at = 0; at < weight.length; at++) expect(ofWeight.data[at]).toBeCloseTo(slope(weight, at), 4);
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

  it("stays finite where the model is certain, and pulls no tail that is already empty", async () => {
    const certain = weight.map((value) => value * 300);
    const { loss, ofHidden } = await fusedLoss(hidden, certain, "mixed", 1, 1);
    expect(Number.isFinite(loss.data[0])).toBe(true);
    expect([...ofHidden.data].every(Number.isFinite)).toBe(true);
  });
});
