import { artefactKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { selection } from "../contracts/selection.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { Sample } from "../core/samples/sample.ts";
import { KnowledgeMixture } from "../core/selection/knowledge-mixture.ts";
import { ownKnowledge, type TaughtKnowledge } from "../core/selection/own-knowledge.ts";
import { readAlignedShard } from "../formats/aligned-shard.ts";
import { readKnowledgeShard } from "../formats/knowledge-shard.ts";
import type { SampleTarget } from "../ports/engine.ts";
import { readOutput } from "./job-outputs.ts";
import { partyOf } from "./load-plan.ts";
import { loadVocabularyMap } from "./map-vocabulary.ts";
import { ALIGNED, knowledgeName, knowledgeOwned } from "./party-outputs.ts";
import { readJson } from "./read-json.ts";
import type { SelectedKnowledge } from "./train-party.ts";
import type { RunningJob } from "./with-job.ts";

/** A shard's place in the public set: its samples are those from first to before last. */
interface Slice {
  shard: number;
  first: number;
  last: number;
}

/**
 * What a target learns from this round: for each public sample the winner's knowledge in the target's own positions. Where the
 * target itself wins that is nothing under `strict`, `token` and `confidence`, and its own output under `greater`; under
 * `weighted-mean` it is the mixture of all, and under `confidence` that of all better sources. Beside what is learned one aligned
 * shard, one own shard and one mixture are held at a time.
 */
export async function loadSelectedKnowledge(job: RunningJob, samples: readonly Sample[]): Promise<SelectedKnowledge> {
  const {
    deps,
    plan,
    identity: { round, party: target },
  } = job;
  const key = artefactKeys.selection(plan.run, round, target);
  const { rule, sources, winners, shares } = await readJson(deps.objects, deps.buckets.artefacts, key, selection);
  if (winners.length !== samples.length || (shares ?? winners).length !== samples.length)
    throw new InvalidInputError(
      "SELECTION_MISFITS",
      `${key}: expected ${samples.length} winners, found ${winners.length}`,
    );
  const slices = Array.from({ length: plan.public.shards }, (_, shard): Slice => {
    const first = shard * plan.spec.samplesPerShard;
    return { shard, first, last: Math.min(first + plan.spec.samplesPerShard, samples.length) };
  });
  const targets: (SampleTarget | null)[] = samples.map(() => null);
  const partitions: Int32Array[] = [];
  /** Takes the samples that `wins` names out of a shard's knowledge. */
  const take = (
    taught: TaughtKnowledge,
    slice: Slice,
    partition: number,
    what: string,
    wins: (winner: number) => boolean,
  ) => {
    for (let index = slice.first; index < slice.last; index++)
      if (wins(winners[index])) targets[index] = targetOf(taught, index - slice.first, samples[index], partition, what);
  };
  if (rule === "weighted-mean" || rule === "confidence") {
    const isLearned = (winner: number) => rule === "weighted-mean" || winner >= 0;
    for (const slice of slices) {
      if (!winners.slice(slice.first, slice.last).some(isLearned)) continue;
      const { own, what } = await loadOwn(job, slice);
      const ofSlice = Float64Array.from(shares!.slice(slice.first, slice.last).flat());
      const mixture = new KnowledgeMixture(own, ofSlice, rule === "confidence" ? "speakers" : "target");
      for (const [index, source] of sources.entries())
        mixture.add(index, (await loadAligned(job, source, slice.shard, null)).taught);
      take(mixture.finish(), slice, -1, what, isLearned);
    }
    return { targets, partitions };
  }
  for (const [sourceIndex, source] of sources.entries()) {
    if (!winners.includes(sourceIndex)) continue;
    const partition = await loadPartition(deps, plan, source, target);
    const place = partition === null ? -1 : partitions.push(partition.groupOfToken) - 1;
    for (const slice of slices) {
      if (!winners.slice(slice.first, slice.last).includes(sourceIndex)) continue;
      const { taught, what } = await loadAligned(job, source, slice.shard, partition?.groups ?? null);
      take(taught, slice, place, what, (winner) => winner === sourceIndex);
    }
  }
  if (rule === "greater")
    for (const slice of slices) {
      if (!winners.slice(slice.first, slice.last).includes(-1)) continue;
      const { own, what } = await loadOwn(job, slice);
      take(own, slice, -1, what, (winner) => winner < 0);
    }
  return { targets, partitions };
}

/** A source's groups of the target's tokens, where groups are learned. */
async function loadPartition(deps: RunningJob["deps"], plan: Plan, source: string, target: string) {
  if (plan.spec.distillation.learn === "token") return null;
  const { groups, groupOfTarget } = await loadVocabularyMap(deps, plan, source, target);
  return { groups, groupOfToken: padded(groupOfTarget, groups, partyOf(plan, target).vocabularySize) };
}

/** @param groups - how many there are; null: entries are the target's tokens */
async function loadAligned({ deps, plan, identity }: RunningJob, source: string, shard: number, groups: number | null) {
  const { round, party: target } = identity;
  const folder = artefactKeys.aligned(plan.run, round, source, target, shard);
  const what = `${folder}/${ALIGNED}`;
  const { aligned } = readAlignedShard(await readOutput(deps, folder, ALIGNED), what, {
    run: plan.run,
    round,
    source,
    target,
    shard,
    learn: plan.spec.distillation.learn,
    targetTokenizerHash: partyOf(plan, target).tokenizerHash,
    datasetHash: plan.public.hash,
    entryLimit: groups ?? partyOf(plan, target).vocabularySize,
  });
  return { taught: aligned, what };
}

/** The target's own knowledge, the one that it was compared by. */
async function loadOwn({ deps, plan, identity }: RunningJob, { shard }: Slice) {
  const { party, run, round, folder } = knowledgeOwned(plan, identity.round, identity.party);
  const { tokenizerHash, vocabularySize } = partyOf(plan, party);
  const { transfer, temperature } = plan.spec.distillation;
  const what = `${folder}/${knowledgeName(shard)}`;
  const expected = { run, round, party, shard, tokenizerHash, vocabularySize, datasetHash: plan.public.hash };
  const { knowledge } = readKnowledgeShard(await readOutput(deps, folder, knowledgeName(shard)), what, expected);
  return { own: ownKnowledge(knowledge, transfer, temperature), what };
}

/** One sample's slice, copied, so that the shard around it can go. */
function targetOf(
  taught: TaughtKnowledge,
  index: number,
  sample: Sample,
  partition: number,
  what: string,
): SampleTarget {
  if (!taught.sampleIds.subarray(index * 16, index * 16 + 16).every((byte, place) => byte === sample.id[place]))
    throw new InvalidInputError(
      "SAMPLES_DIFFER",
      `${what}: sample ${index} is not the public set's sample at that place`,
    );
  const [first, last] = [taught.positionOffsets[index], taught.positionOffsets[index + 1]];
  const [begin, end] = [taught.entryOffsets[first], taught.entryOffsets[last]];
  return {
    positions: taught.positions.slice(first, last),
    offsets: taught.entryOffsets.slice(first, last + 1).map((offset) => offset - begin),
    entries: taught.entries.slice(begin, end),
    probabilities: taught.probabilities.slice(begin, end),
    tail: taught.tail.slice(first, last),
    partition,
  };
}

/** A model may have more rows than its tokenizer has tokens: each of them is a group of its own, which nothing teaches. */
function padded(groupOfTarget: Int32Array, groups: number, vocabularySize: number): Int32Array {
  const partition = new Int32Array(vocabularySize);
  partition.set(groupOfTarget);
  for (let token = groupOfTarget.length; token < vocabularySize; token++)
    partition[token] = groups + token - groupOfTarget.length;
  return partition;
}
