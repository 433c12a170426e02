import { describe, expect, it } from "@jest/globals";
import { type Baseline, type RunSpec, type RunSpecInput, runSpec } from "../../../shared/src/contracts/run-spec.ts";
import { baselineInputs } from "../../../shared/src/use-cases/baseline-inputs.ts";

const training = { learningRate: 0.01 };
const BASE: RunSpecInput = {
  ...{ name: "toy", rounds: 2, sampleBytes: 100, seed: 1 },
  server: { model: "/models/server", training },
  clients: ["ward", "harbour"].map((id) => ({ id, model: `/models/${id}`, private: `/data/${id}.jsonl`, training })),
  public: ["/data/public.jsonl"],
  evaluation: [{ name: "test", data: "/data/test.jsonl" }],
};

const specOf = (changes: Partial<RunSpecInput>): RunSpec => runSpec.parse({ ...BASE, ...changes });
const isShared = (baseline: string, changes: Partial<RunSpecInput>) =>
  JSON.stringify(baselineInputs(specOf(changes), baseline as Baseline)) ===
  JSON.stringify(baselineInputs(specOf({}), baseline as Baseline));

const [ward, harbour] = BASE.clients!;
const ON_LABELS = ["standalone", "standalone+public", "public-only"];

describe("what a baseline on labels alone depends on", () => {
  it.each(ON_LABELS)("%s: nothing of how knowledge is transferred, nor names and costs", (baseline) => {
    const without: Partial<RunSpecInput>[] = [
      { name: "other" },
      { method: "fate" },
      { distillation: { lambda: 0.3, temperature: 2, topK: 7, learn: "token", vocabularyMap: "min-edit" } },
      { aggregation: "fedavg" },
      { baselines: ["standalone"] },
      { samplesPerShard: 3, shardEncoding: "plain" },
      { budget: { dollars: 3 } },
    ];
    for (const changes of without)
      expect({ changes, shared: isShared(baseline, changes) }).toEqual({ changes, shared: true });
  });

  it.each(ON_LABELS)("%s: data, models, training, rounds, seed and what is scored", (baseline) => {
    const changing: Partial<RunSpecInput>[] = [
      { seed: 2 },
      { rounds: 3 },
      { sampleBytes: 90 },
      { simulation: true },
      { server: { model: "/models/other", training } },
      { server: { model: "/models/server", training, lora: { rank: 2 } } },
      { clients: [harbour!] },
      { clients: [ward!, { ...harbour!, private: { path: "/data/harbour.jsonl", samples: 10 } }] },
      { clients: [ward!, { ...harbour!, training: { ...training, privateEpochs: 2 } }] },
      { public: ["/data/public.jsonl", "/data/more.jsonl"] },
      { evaluation: [] },
      { evaluation: [{ name: "test", data: "/data/test.jsonl", task: "multiple-choice" }] },
    ];
    for (const changes of changing)
      expect({ changes, shared: isShared(baseline, changes) }).toEqual({ changes, shared: false });
  });
});

describe("what a one-way run depends on", () => {
  it("is all of the transfer too", () => {
    expect(isShared("one-way", { distillation: { lambda: 0.3 } })).toBe(false);
    expect(isShared("one-way", { method: "fate" })).toBe(false);
    expect(isShared("one-way", { aggregation: "fedavg" })).toBe(false);
    expect(isShared("one-way", { name: "other", baselines: ["standalone"], shardEncoding: "plain" })).toBe(true);
  });
});
