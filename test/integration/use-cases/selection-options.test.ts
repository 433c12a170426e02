import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { artefactKeys, controlKeys } from "../../../shared/src/contracts/keys.ts";
import type { AlignedKnowledge, Knowledge } from "../../../shared/src/core/knowledge.ts";
import { readAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { readKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { loadPlan } from "../../../shared/src/use-cases/load-plan.ts";
import { loadVocabularyMap } from "../../../shared/src/use-cases/map-vocabulary.ts";
import { ALIGNED, knowledgeName } from "../../../shared/src/use-cases/party-outputs.ts";
import { selectKnowledge } from "../../../shared/src/use-cases/select-knowledge.ts";
import { COMPLETIONS, type EndedRun, runMethod, writeMethodFederation } from "../../support/method-run.ts";
import type { TinySpec } from "../../support/tiny-federation.ts";

const SOURCES = ["ships", "wards"];

/** What the server knew before it learned anything. */
async function serversOwn({ deps }: EndedRun, shard: number): Promise<Knowledge> {
  const folder = artefactKeys.job("tiny", 1, "server-extract", "server");
  return readKnowledgeShard(await readOutput(deps, folder, knowledgeName(shard)), "own", {}).knowledge;
}

async function alignedFor({ deps }: EndedRun, source: string, shard: number): Promise<AlignedKnowledge> {
  const folder = artefactKeys.aligned("tiny", 1, source, "server", shard);
  return readAlignedShard(await readOutput(deps, folder, ALIGNED), "aligned", {}).aligned;
}

describe("a federation whose selection is chosen otherwise", () => {
  let folder: string;
  let spec: TinySpec;
  let strict: EndedRun;
  let shards: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "selection-options-"));
    spec = writeMethodFederation(folder);
    strict = await runMethod(spec, { learn: "token" });
    shards = (await loadPlan(strict.deps, "tiny")).public.shards;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** By hand: what of a whole alignment is better than the target's own, and the advantage of each sample. */
  function expectedOf(aligned: AlignedKnowledge, own: Knowledge, groupOf: (token: number) => number) {
    const samples = aligned.positionOffsets.length - 1;
    return Array.from({ length: samples }, (_, sample) => {
      const kept: number[] = [];
      let nats = 0;
      for (let row = aligned.positionOffsets[sample]; row < aligned.positionOffsets[sample + 1]; row++) {
        const position = aligned.positions[row];
        const at = own.positions.indexOf(position, own.positionOffsets[sample]);
        const truth = groupOf(own.tokenIds[own.tokenOffsets[sample] + position + 1]);
        const entry = [...aligned.entries.subarray(aligned.entryOffsets[row], aligned.entryOffsets[row + 1])].indexOf(
          truth,
        );
        const said = entry < 0 ? 0 : aligned.probabilities[aligned.entryOffsets[row] + entry];
        let known = 0;
        for (let k = own.entryOffsets[at]; k < own.entryOffsets[at + 1]; k++)
          if (groupOf(own.topIds[k]) === truth) known += Math.exp(own.topLogProbs[k]);
        if (said <= known) continue;
        kept.push(position);
        const hidden = Math.min(own.tailMass[at], Math.exp(own.topLogProbs[own.entryOffsets[at + 1] - 1]));
        nats += Math.log(said / (known > 0 ? known : Math.min(said, hidden)));
      }
      return { kept, nats };
    });
  }

  it.each(["token", "group"] as const)(
    "teaches by token what the source knows better, and lets the greatest advantage win: learn %s",
    async (learn) => {
      const whole = learn === "token" ? strict : await runMethod(spec, {});
      const byToken = await runMethod(spec, { learn, selection: "token" });
      const plan = await loadPlan(byToken.deps, "tiny");
      const { winners, gaps, count, transfers } = await byToken.selected("server");
      const taught = await byToken.taught("server");
      const expected = await Promise.all(
        SOURCES.map(async (source) => {
          const { groupOfTarget } = await loadVocabularyMap(byToken.deps, plan, source, "server");
          const ofShards = [];
          for (let shard = 0; shard < shards; shard++) {
            const own = await serversOwn(byToken, shard);
            const rows = await alignedFor(whole, source, shard);
            const found = expectedOf(rows, own, (token) => (learn === "group" ? groupOfTarget[token] : token));
            const filtered = await alignedFor(byToken, source, shard);
            expect([...filtered.positions]).toEqual(found.flatMap(({ kept }) => kept));
            expect(filtered.positions.length).toBeLessThan(rows.positions.length);
            expect(filtered.statistics).toEqual(rows.statistics);
            ofShards.push(...found);
          }
          return ofShards;
        }),
      );
      const answerBytes: number[] = [];
      for (let shard = 0; shard < shards; shard++) answerBytes.push(...(await serversOwn(byToken, shard)).answerBytes);
      let won = 0;
      winners.forEach((winner, sample) => {
        const advantages = expected.map((ofSource) => ofSource[sample].nats / answerBytes[sample] / Math.LN2);
        const greatest = Math.max(...advantages);
        expect(gaps[sample]).toBeCloseTo(greatest, 4);
        expect(winner).toBe(greatest > 0 ? advantages.indexOf(greatest) : -1);
        const positions = taught[sample] === null ? null : [...taught[sample].positions];
        expect(positions).toEqual(winner < 0 ? null : expected[winner][sample].kept);
        if (winner >= 0) won++;
      });
      expect(won).toBeGreaterThan(2);
      expect(count.meanGap).toBeCloseTo(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length, 9);
      // by what the others' losses differ is told too
      const { count: ofStrict } = await whole.selected("server");
      expect(count.meanLossGap).toBeCloseTo(ofStrict.meanGap, 9);
      expect(ofStrict).not.toHaveProperty("meanLossGap");
      transfers.forEach(({ betterShare, targetPositions, alignedShare }, index) => {
        const kept = expected[index].reduce((sum, one) => sum + one.kept.length, 0);
        expect(betterShare).toBeCloseTo(kept / (targetPositions * alignedShare), 9);
      });
    },
  );

  it("does not select by token what was aligned for another rule", async () => {
    const { deps, objects } = await runMethod(spec, { learn: "token" });
    const key = controlKeys.plan("tiny");
    const plan = JSON.parse(new TextDecoder().decode(await objects.get("control", key, 1 << 30)));
    plan.spec.distillation.selection = "token";
    await objects.put("control", key, encodeJson(plan));
    await expect(selectKnowledge(deps)({ run: "tiny", round: 1, target: "server" })).rejects.toMatchObject({
      name: "InvariantError",
      code: "ADVANTAGE_UNKNOWN",
    });
  });

  it("mixes by confidence all that are better than the target, and nobody else", async () => {
    const confident = await runMethod(spec, { learn: "token", selection: "confidence" });
    const { winners, shares, sources, gaps } = await confident.selected("server");
    const before = await strict.selected("server");
    expect(sources).toEqual(SOURCES);
    expect(winners).toEqual(before.winners);
    expect(gaps).toEqual(before.gaps);
    const taught = await confident.taught("server");
    shares!.forEach(([own, ...others], sample) => {
      expect(own).toBe(0);
      const total = others.reduce((sum, share) => sum + share, 0);
      if (winners[sample] < 0) expect([total, taught[sample]]).toEqual([0, null]);
      else {
        expect(total).toBeCloseTo(1, 12);
        expect(Math.max(...others)).toBe(others[winners[sample]]);
        const { positions, offsets, probabilities, tail } = taught[sample]!;
        expect(positions.length).toBeGreaterThan(0);
        positions.forEach((_, at) => {
          const masses = probabilities.subarray(offsets[at], offsets[at + 1]);
          expect(masses.reduce((sum, mass) => sum + mass, tail[at])).toBeCloseTo(1, 4);
        });
      }
    });
    // of one source alone confidence makes what strict makes
    for (const client of SOURCES) {
      const [alone, same] = [await confident.selected(client), await strict.selected(client)];
      expect(alone.shares!.map(([, share]) => share)).toEqual(alone.winners.map((winner) => (winner < 0 ? 0 : 1)));
      expect(alone.shares).toHaveLength(COMPLETIONS.length);
      expect(same.shares).toBeNull();
    }
  });

  it("learns only from who is better by enough, and not by too much", async () => {
    const { gaps, winners, count } = await strict.selected("server");
    const won = gaps.filter((_, sample) => winners[sample] >= 0).sort((a, b) => a - b);
    expect(won.length).toBeGreaterThan(2);
    const bounds = { minGap: won[0], maxGap: won[won.length - 2] };
    const bounded = await runMethod(spec, { learn: "token", ...bounds });
    const chosen = await bounded.selected("server");
    expect(chosen.gaps).toEqual(gaps);
    const within = chosen.winners.filter((winner) => winner >= 0).length;
    const { near, far } = chosen.count.outOfBounds!;
    expect(near).toBeGreaterThanOrEqual(1);
    expect(within + near + far).toBe(won.length);
    chosen.winners.forEach((winner, sample) => {
      if (gaps[sample] > bounds.minGap && gaps[sample] <= bounds.maxGap) expect(winner).toBe(winners[sample]);
      if (gaps[sample] <= bounds.minGap) expect(winner).toBe(-1);
    });
    expect(bounded.summary.distillation).toMatchObject(bounds);
    expect(bounded.summary.selections[0].outOfBounds).toBeDefined();
    expect(count).not.toHaveProperty("outOfBounds");
    const nobody = await runMethod(spec, { learn: "token", minGap: 1000 });
    for (const selected of nobody.summary.selections) expect(selected.none).toBe(COMPLETIONS.length);
    expect((await nobody.taught("server")).every((sample) => sample === null)).toBe(true);
  });

  it("offers few entries where a model is sure, and says by what they were cut", async () => {
    const cut = await runMethod(spec, { learn: "token", topPerplexity: 0.5 });
    const { deps } = cut;
    const folderOf = artefactKeys.job("tiny", 1, "client-train", "ships");
    for (let shard = 0; shard < shards; shard++) {
      const read = async (ended: EndedRun) =>
        readKnowledgeShard(await readOutput(ended.deps, folderOf, knowledgeName(shard)), "shard", {});
      const [short, whole] = [await read(cut), await read(strict)];
      expect(short.header.topPerplexity).toBe(0.5);
      expect(whole.header).not.toHaveProperty("topPerplexity");
      expect(short.knowledge.topIds.length).toBeLessThan(whole.knowledge.topIds.length);
      const { entryOffsets, topLogProbs, tailMass, positions } = whole.knowledge;
      positions.forEach((_, at) => {
        const logs = [...topLogProbs.subarray(entryOffsets[at], entryOffsets[at + 1])];
        if (tailMass[at] > 0) logs.push(Math.log(tailMass[at]));
        const entropy = logs.reduce((sum, log) => sum - Math.exp(log) * log, 0);
        const kept = short.knowledge.entryOffsets[at + 1] - short.knowledge.entryOffsets[at];
        // what was packed is rounded by some thousandths
        expect(kept).toBeGreaterThanOrEqual(Math.floor(0.499 * Math.exp(entropy)));
        expect(kept).toBeLessThanOrEqual(Math.max(1, Math.ceil(0.501 * Math.exp(entropy))));
      });
    }
    expect((await loadPlan(deps, "tiny")).spec.distillation.topPerplexity).toBe(0.5);
  });
});
