import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys } from "../../../shared/src/contracts/keys.ts";
import { METHODS } from "../../../shared/src/contracts/methods.ts";
import { readKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import type { SampleTarget } from "../../../shared/src/ports/engine.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { loadPlan } from "../../../shared/src/use-cases/load-plan.ts";
import { knowledgeName, knowledgeOwned } from "../../../shared/src/use-cases/party-outputs.ts";
import { COMPLETIONS, type EndedRun, runMethod, writeMethodFederation } from "../../support/method-run.ts";
import type { StageRun } from "../../support/run-stages.ts";
import type { TinySpec } from "../../support/tiny-federation.ts";

const ANY = 1 << 30;

describe("a federation under another method", () => {
  let folder: string;
  let spec: TinySpec;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "methods-"));
    spec = writeMethodFederation(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["paper, as it was published", { method: "paper" }],
    ["paper, with FATE-LLM's greedy-dp", { method: "paper", alignment: "greedy-dp" }],
    ["paper, by byte offsets", { method: "paper", alignment: "byte-offset" }],
    ["fate, as FATE-LLM does it", { method: "fate" }],
    ["fate, with greedy-dp", { method: "fate", alignment: "greedy-dp" }],
    ["fate, with weighted-mean", { method: "fate", selection: "weighted-mean" }],
    ["product, with weighted-mean", { method: "product", learn: "token", selection: "weighted-mean" }],
    ["product, with FATE-LLM's greater", { method: "product", selection: "greater" }],
    ["product, at all positions", { method: "product", positions: "all" }],
    ["product, by dtw", { method: "product", alignment: "dtw" }],
    ["product, with FATE-LLM's map", { method: "product", vocabularyMap: "reference" }],
    ["paper, tempered, with a cut at p", { method: "paper", temperature: 2, topP: 0.5 }],
    ["product, by token", { method: "product", selection: "token" }],
    ["product, by single tokens", { method: "product", learn: "token", selection: "token" }],
    ["paper, by token", { method: "paper", selection: "token" }],
    ["fate, by token, with greedy-dp", { method: "fate", alignment: "greedy-dp", selection: "token" }],
    ["product, by confidence", { method: "product", learn: "token", selection: "confidence" }],
    ["fate, by confidence", { method: "fate", selection: "confidence", temperature: 2 }],
    ["product, within bounds of the gap", { method: "product", minGap: 0.001, maxGap: 50 }],
    ["product, cut by entropy", { method: "product", topPerplexity: 4 }],
  ] as const)("ends with something transferred: %s", async (_, changes) => {
    const { summary, selected, taught } = await runMethod(spec, changes);
    const { method, ...choices } = changes;
    expect(summary.method).toBe(method);
    expect(summary.distillation).toMatchObject({ ...METHODS[method], ...choices });
    for (const { alignedShare, keptMass } of summary.transfers) {
      expect(alignedShare).toBeGreaterThan(0);
      expect(keptMass).toBeGreaterThan(0);
    }
    let learned = 0;
    for (const target of ["server", "ships", "wards"]) {
      const { winners, rule } = await selected(target);
      const targets = await taught(target);
      for (const [sample, winner] of winners.entries())
        if (winner >= 0 || rule === "weighted-mean") {
          expect(targets[sample]!.positions.length).toBeGreaterThan(0);
          expect(targets[sample]!.probabilities.reduce((sum, mass) => sum + mass, 0)).toBeGreaterThan(0.05);
          learned++;
        }
    }
    expect(learned).toBeGreaterThan(3);
    for (const { stage, steps, loss } of summary.training.filter(({ stage }) => stage.endsWith("distil")))
      expect([stage, steps, Number.isFinite(loss) && loss > 0]).toEqual([stage, 3, true]);
  });

  it.each([
    ["the current token under fate", { method: "fate", lossMetric: "per-byte" }, 0],
    ["the next token under paper", { method: "paper", lossMetric: "per-byte" }, 1],
  ] as const)("teaches one token alone where the texts part: %s", async (_, changes, ahead) => {
    const ended = await runMethod(spec, changes);
    const sample = (await ended.selected("wards")).winners.indexOf(0);
    const learned = (await ended.taught("wards"))[sample]!;
    const bytes = await readOutput(ended.deps, artefactKeys.job("tiny", 1, "client-train", "wards"), knowledgeName(0));
    const { tokenIds, tokenOffsets } = readKnowledgeShard(bytes, "own", {}).knowledge;
    let alone = 0;
    for (const [at, position] of learned.positions.entries()) {
      const [begin, end] = [learned.offsets[at], learned.offsets[at + 1]];
      if (end - begin > 1 || learned.probabilities[begin] < 1) continue;
      expect(learned.entries[begin]).toBe(tokenIds[tokenOffsets[sample] + position + ahead]);
      alone++;
    }
    expect(alone).toBeGreaterThan(0);
    expect(alone).toBeLessThan(learned.positions.length);
  });

  it("gives the same bytes again: fate", async () => {
    const files = async ({ objects }: StageRun) =>
      Promise.all(
        (await objects.list("artefacts", "runs/tiny/published/adapters")).map((key) =>
          objects.get("artefacts", key, ANY),
        ),
      );
    expect(await files(await runMethod(spec, { method: "fate" }))).toEqual(
      await files(await runMethod(spec, { method: "fate" })),
    );
  });

  it("teaches a target its own output where it wins under greater, and nothing under strict", async () => {
    const greater = await runMethod(spec, { selection: "greater" });
    const own = await runMethod(spec, { selection: "strict" });
    for (const target of ["server", "ships", "wards"]) {
      const { winners } = await greater.selected(target);
      const taught = await greater.taught(target);
      expect(taught.every((sample) => sample !== null && sample.positions.length > 0)).toBe(true);
      expect(taught.map((sample) => sample!.partition < 0)).toEqual(winners.map((winner) => winner < 0));
      const { winners: strict } = await own.selected(target);
      expect((await own.taught(target)).map((sample) => sample === null)).toEqual(strict.map((winner) => winner < 0));
    }
    const plan = await loadPlan(greater.deps, "tiny");
    const [target, sample] = await firstOwn(greater);
    const { folder: job } = knowledgeOwned(plan, 1, target);
    const shard = Math.floor(sample / plan.spec.samplesPerShard);
    const { knowledge } = readKnowledgeShard(await readOutput(greater.deps, job, knowledgeName(shard)), "own", {});
    const at = knowledge.positionOffsets[sample % plan.spec.samplesPerShard];
    const learned = (await greater.taught(target))[sample]!;
    expect(learned.positions[0]).toBe(knowledge.positions[at]);
    expect(learned.tail[0]).toBeCloseTo(knowledge.tailMass[at], 5);
    const likeliest = learned.entries.indexOf(knowledge.topIds[knowledge.entryOffsets[at]]);
    expect(learned.probabilities[likeliest]).toBeCloseTo(
      Math.exp(knowledge.topLogProbs[knowledge.entryOffsets[at]]),
      5,
    );
  });

  async function firstOwn(ended: EndedRun): Promise<[string, number]> {
    for (const target of ["server", "ships", "wards"]) {
      const sample = (await ended.selected(target)).winners.indexOf(-1);
      if (sample >= 0) return [target, sample];
    }
    throw new Error("expected a sample that its target wins");
  }

  it("mixes all candidates under weighted-mean, the target's own among them", async () => {
    const mixed = await runMethod(spec, { learn: "token", selection: "weighted-mean" });
    const { shares, sources } = await mixed.selected("server");
    expect(sources).toEqual(["ships", "wards"]);
    expect(shares).toHaveLength(COMPLETIONS.length);
    for (const row of shares!) expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 2);
    for (const sample of await mixed.taught("server")) {
      expect(sample!.positions.length).toBeGreaterThan(0);
      sample!.positions.forEach((_, at) => {
        const masses = sample!.probabilities.subarray(sample!.offsets[at], sample!.offsets[at + 1]);
        expect(masses.reduce((sum, mass) => sum + mass, sample!.tail[at])).toBeCloseTo(1, 4);
      });
    }
  });

  it("knows and learns the prompt's positions where all are asked for, and still counts the answer's loss", async () => {
    const everywhere = await runMethod(spec, { positions: "all" });
    const answers = await runMethod(spec, { positions: "answer" });
    const [all, some] = await Promise.all(
      [everywhere, answers].map(async ({ deps }) => {
        const bytes = await readOutput(deps, artefactKeys.job("tiny", 1, "server-extract", "server"), knowledgeName(0));
        return readKnowledgeShard(bytes, "shard", {}).knowledge;
      }),
    );
    expect(all.answerPositions).toEqual(some.answerPositions);
    expect(all.positions.length).toBe(all.tokenIds.length - all.lossNats.length);
    expect(all.positions.length).toBeGreaterThan(some.positions.length);
    all.lossNats.forEach((nats, sample) => {
      expect(nats).toBeCloseTo(some.lossNats[sample], 3);
    });
    // before anything was learned, the same selection at both; then prompts are taught too
    const [winners, same] = [await everywhere.selected("server"), await answers.selected("server")];
    expect(winners.winners).toEqual(same.winners);
    const taughtBefore = (targets: (SampleTarget | null)[]) => targets.map((target) => target?.positions[0] ?? null);
    const [wide, narrow] = [await everywhere.taught("ships"), await answers.taught("ships")].map(taughtBefore);
    expect(wide.some((first, sample) => first !== null && narrow[sample] !== null && first < narrow[sample])).toBe(
      true,
    );
  });

  it("divides losses by the metric that was chosen", async () => {
    const gaps = async (lossMetric: "per-byte" | "per-token" | "diluted") =>
      (await (await runMethod(spec, { lossMetric })).selected("server")).gaps;
    const [perByte, perToken, diluted] = [await gaps("per-byte"), await gaps("per-token"), await gaps("diluted")];
    expect(perToken).not.toEqual(perByte);
    expect(diluted).not.toEqual(perToken);
  });
});
