import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import { type Selection, selection } from "../contracts/selection.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { Transfer } from "../contracts/summary.ts";
import { InvariantError } from "../core/errors.ts";
import { type LossMetric, measureLosses } from "../core/selection/loss-metric.ts";
import { selectKnowledge as selectByLoss } from "../core/selection/select-knowledge.ts";
import { selectionStatistics } from "../core/selection/selection-statistics.ts";
import { type PairedLosses, readPairedLosses } from "../formats/paired-losses.ts";
import type { StageDependencies } from "./dependencies.ts";
import { finishedJob, readListedOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { LOSSES, sourcesOf } from "./party-outputs.ts";

/** Chooses, per public sample, from whom the target learns: by the spec's metric and rule. */
export function selectKnowledge(deps: StageDependencies) {
  return async ({ run, round, target }: StageInput<"select-knowledge">): Promise<StageOutput<"select-knowledge">> => {
    const plan = await loadPlan(deps, run);
    const sources = sourcesOf(plan, round, target);
    const own = new Float64Array(plan.public.samples);
    const offered = sources.map((party) => ({ party, losses: new Float64Array(plan.public.samples) }));
    const ahead = sources.map((party) => ({ party, losses: new Float64Array(plan.public.samples) }));
    const { selection: rule, lossMetric, minGap, maxGap } = plan.spec.distillation;
    const isByToken = rule === "token";
    const transfers: Transfer[] = [];
    for (const [index, { party, losses }] of offered.entries()) {
      let betterPositions = 0;
      const sum = { targetPositions: 0, alignedPositions: 0, keptMass: 0, exactMass: 0, unmappedMass: 0, bytes: 0 };
      for (let shard = 0; shard < plan.public.shards; shard++) {
        const folder = artefactKeys.aligned(run, round, party, target, shard);
        const done = await finishedJob(deps, folder);
        if (done === null)
          throw new InvariantError("SHARD_UNALIGNED", `${folder}: selection began before this shard was aligned`);
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += done.metrics[name];
        const paired = readPairedLosses(await readListedOutput(deps, folder, done, LOSSES), `${folder}/${LOSSES}`);
        const first = shard * plan.spec.samplesPerShard;
        const expected = Math.min(plan.spec.samplesPerShard, plan.public.samples - first);
        if (paired.answerBytes.length !== expected)
          throw new InvariantError(
            "SHARD_MISSIZED",
            `${folder}: expected losses of ${expected} samples, got ${paired.answerBytes.length}`,
          );
        losses.set(measure(lossMetric, paired, "source"), first);
        own.set(measure(lossMetric, paired, "target"), first);
        if (!isByToken) continue;
        const { nats, positions } = advantageOf(paired, folder);
        ahead[index].losses.set(
          measure(lossMetric, { ...paired, targetNats: nats.map((gained) => -gained) }, "target"),
          first,
        );
        betterPositions += positions.reduce((total, count) => total + count, 0);
      }
      const ofAligned = (mass: number) => (sum.alignedPositions === 0 ? 0 : Math.min(1, mass / sum.alignedPositions));
      transfers.push({
        round,
        source: party,
        target,
        targetPositions: sum.targetPositions,
        alignedShare: sum.targetPositions === 0 ? 0 : sum.alignedPositions / sum.targetPositions,
        keptMass: ofAligned(sum.keptMass),
        exactMass: ofAligned(sum.exactMass),
        unmappedMass: ofAligned(sum.unmappedMass),
        bytes: sum.bytes,
        ...(isByToken && { betterShare: ofAligned(betterPositions) }),
      });
    }
    // by token what is compared is not the losses, but by how much each source is better than the target
    const compared = isByToken ? { own: own.map(() => 0), offered: ahead } : { own, offered };
    const bounds = { minGap, maxGap: maxGap ?? Number.POSITIVE_INFINITY };
    const chosen = selectByLoss(rule, compared.own, compared.offered, bounds);
    const found = selectionStatistics(compared.own, compared.offered, chosen, bounds);
    const { none, agreement, meanGap, gapQuartiles } = found;
    const isBounded = minGap > 0 || maxGap !== undefined;
    const bySource = (counts: readonly number[]) =>
      Object.fromEntries(sources.map((source, index) => [source, counts[index]]));
    const width = 1 + sources.length;
    const document: Selection = {
      version: 2,
      run,
      round,
      target,
      sources,
      rule,
      lossMetric,
      winners: [...chosen.winner],
      gaps: [...chosen.gaps],
      shares: chosen.shares
        ? Array.from(own, (_, sample) => [...chosen.shares!.subarray(sample * width, (sample + 1) * width)])
        : null,
      count: {
        round,
        target,
        samples: plan.public.samples,
        bySource: bySource(found.countBySource),
        none,
        ahead: bySource(found.ahead),
        alone: bySource(found.alone),
        agreement,
        meanGap,
        gapQuartiles,
        ...(isByToken && {
          meanLossGap: selectionStatistics(own, offered, selectByLoss("strict", own, offered)).meanGap,
        }),
        ...(isBounded && { outOfBounds: found.outOfBounds }),
      },
      transfers,
    };
    const key = artefactKeys.selection(run, round, target);
    await deps.objects.put(deps.buckets.artefacts, key, encodeJson(selection.parse(document)));
    return { key, samples: own.length, selected: rule === "weighted-mean" ? own.length : own.length - none };
  };
}

function advantageOf({ advantage }: PairedLosses, folder: string): NonNullable<PairedLosses["advantage"]> {
  if (advantage === null)
    throw new InvariantError(
      "ADVANTAGE_UNKNOWN",
      `${folder}: expected this shard to be aligned for selection by token`,
    );
  return advantage;
}

function measure(metric: LossMetric, paired: PairedLosses, side: "source" | "target"): Float64Array {
  return measureLosses(metric, {
    nats: paired[`${side}Nats`],
    answerBytes: paired.answerBytes,
    answerTokens: paired[`${side}AnswerTokens`],
    tokens: paired[`${side}Tokens`],
  });
}
