import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { measureLosses } from "../../../shared/src/core/selection/loss-metric.ts";
import { rewardOf } from "../../../shared/src/core/selection/rewards.ts";
import { type SelectionRule, selectKnowledge } from "../../../shared/src/core/selection/select-knowledge.ts";

interface Chosen {
  metrics: number[][];
  greater: number[];
  weightedMean: number[][];
}

/** What scripts/fixtures/distillation.py wrote. */
const fixture: {
  rewards: [number, number][];
  client: Chosen;
  server: Chosen;
  diluted: { nats: number; answerTokens: number; tokens: number; metric: number }[];
} = JSON.parse(readFileSync(new URL("../fixtures/distillation/selection.json", import.meta.url), "utf8"));

function selectBy(rule: SelectionRule, metrics: number[][]) {
  const [target, ...sources] = metrics[0].map((_, candidate) => Float64Array.from(metrics, (row) => row[candidate]));
  return selectKnowledge(
    rule,
    target,
    sources.map((losses, index) => ({ party: `client-${index}`, losses })),
  );
}

describe("Selection as FATE-LLM's formulas give it in PyTorch", () => {
  it("has the same rewards in bfloat16", () => {
    expect(fixture.rewards).toHaveLength(160);
    for (const [loss, reward] of fixture.rewards) expect(rewardOf(loss)).toBe(reward);
  });

  it.each(["client", "server"] as const)(
    "has the same winners under greater, the target itself among them: %s",
    (side) => {
      const { metrics, greater } = fixture[side];
      const { winner, shares } = selectBy("greater", metrics);
      expect([...winner].map((source) => source + 1)).toEqual(greater);
      expect(new Set(greater).size).toBe(metrics[0].length);
      expect(shares).toBeNull();
    },
  );

  it.each(["client", "server"] as const)("has the same shares under weighted-mean: %s", (side) => {
    const { metrics, greater, weightedMean } = fixture[side];
    const { winner, shares } = selectBy("weighted-mean", metrics);
    expect([...shares!]).toEqual(weightedMean.flat());
    expect([...winner].map((source) => source + 1)).toEqual(greater);
  });

  it("has the same diluted loss, whatever is padded", () => {
    for (const { nats, answerTokens, tokens, metric } of fixture.diluted) {
      const [measured] = measureLosses("diluted", {
        nats: [nats],
        answerBytes: [1],
        answerTokens: [answerTokens],
        tokens: [tokens],
      });
      expect(measured).toBeCloseTo(metric, 6);
    }
  });

  it("knownDivergence (FATE-LLM's diluted loss): an answer that was cut off costs nothing there and wins; here it is measured by nothing", () => {
    const cut = fixture.diluted.find(({ answerTokens }) => answerTokens === 0)!;
    expect(cut.metric).toBe(0);
    const measured = { nats: [cut.nats], answerBytes: [0], answerTokens: [0], tokens: [cut.tokens] };
    expect(measureLosses("diluted", measured)[0]).toBe(0);
    expect(() => measureLosses("per-token", measured)).toThrow(/EMPTY|at least 1 token/);
    expect(() => measureLosses("per-byte", measured)).toThrow(/at least 1 byte/);
  });

  it("knownDivergence (FATE-LLM's bfloat16 rewards): a difference that ties there decides under strict, and self wins the tie", () => {
    for (const [own, other] of [
      [0.032, 0.03],
      [0.051, 0.05],
      [0.504, 0.5],
      [2.005, 2],
    ]) {
      expect([...selectBy("greater", [[own, other]]).winner]).toEqual([-1]);
      expect([...selectBy("strict", [[own, other]]).winner]).toEqual([0]);
    }
  });

  it("knownDivergence (FATE-LLM's weighted_mean): shares hardly tell a good source from a bad one, and sum to 1 in bfloat16 only", () => {
    const { shares } = selectBy("weighted-mean", [[9, 0.01, 9]]);
    expect(shares![1] / shares![0]).toBeLessThan(Math.E + 0.02);
    const sums = fixture.server.weightedMean.map((row) => row.reduce((sum, share) => sum + share, 0));
    expect(Math.max(...sums.map((sum) => Math.abs(sum - 1)))).toBeGreaterThan(1e-4);
  });
});
