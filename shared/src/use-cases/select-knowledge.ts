import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import { type Selection, selection } from "../contracts/selection.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import type { Transfer } from "../contracts/summary.ts";
import { InvariantError } from "../core/errors.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import { selectKnowledge as selectByLoss } from "../core/selection/dual-min-ce.ts";
import { readPairedLosses } from "../formats/paired-losses.ts";
import type { StageDependencies } from "./dependencies.ts";
import { finishedJob, readListedOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { LOSSES, sourcesOf } from "./party-outputs.ts";

/** Chooses, per public sample, the source with the least loss per byte, if it is strictly below the target's own. */
export function selectKnowledge(deps: StageDependencies) {
  return async ({ run, round, target }: StageInput<"select-knowledge">): Promise<StageOutput<"select-knowledge">> => {
    const plan = await loadPlan(deps, run);
    const sources = sourcesOf(plan, target);
    const own = new Float64Array(plan.public.samples);
    const offered = sources.map((party) => ({ party, lossPerByte: new Float64Array(plan.public.samples) }));
    const transfers: Transfer[] = [];
    for (const { party, lossPerByte } of offered) {
      const sum = { targetPositions: 0, alignedPositions: 0, keptMass: 0, exactMass: 0, unmappedMass: 0, bytes: 0 };
      for (let shard = 0; shard < plan.public.shards; shard++) {
        const folder = artefactKeys.aligned(run, round, party, target, shard);
        const done = await finishedJob(deps, folder);
        if (done === null)
          throw new InvariantError("SHARD_UNALIGNED", `${folder}: selection began before this shard was aligned`);
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += done.metrics[name];
        const losses = readPairedLosses(await readListedOutput(deps, folder, done, LOSSES), `${folder}/${LOSSES}`);
        const first = shard * plan.spec.samplesPerShard;
        const expected = Math.min(plan.spec.samplesPerShard, plan.public.samples - first);
        if (losses.answerBytes.length !== expected)
          throw new InvariantError(
            "SHARD_MISSIZED",
            `${folder}: expected losses of ${expected} samples, got ${losses.answerBytes.length}`,
          );
        losses.sourceNats.forEach((nats, index) => {
          lossPerByte[first + index] = bitsPerByte(nats, losses.answerBytes[index]);
          own[first + index] = bitsPerByte(losses.targetNats[index], losses.answerBytes[index]);
        });
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
      });
    }
    const chosen = selectByLoss(own, offered);
    const document: Selection = {
      version: 1,
      run,
      round,
      target,
      sources,
      winners: [...chosen.winner],
      count: {
        round,
        target,
        samples: plan.public.samples,
        bySource: Object.fromEntries(sources.map((source, index) => [source, chosen.countBySource[index]])),
        none: chosen.none,
        meanGap: chosen.meanGap,
      },
      transfers,
    };
    const key = artefactKeys.selection(run, round, target);
    await deps.objects.put(deps.buckets.artefacts, key, encodeJson(selection.parse(document)));
    return { key };
  };
}
