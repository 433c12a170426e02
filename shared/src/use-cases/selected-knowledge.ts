import { artefactKeys } from "../contracts/keys.ts";
import { selection } from "../contracts/selection.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { AlignedKnowledge } from "../core/knowledge.ts";
import type { Sample } from "../core/samples/sample.ts";
import { readAlignedShard } from "../formats/aligned-shard.ts";
import type { SampleTarget } from "../ports/engine.ts";
import { readOutput } from "./job-outputs.ts";
import { partyOf } from "./load-plan.ts";
import { loadVocabularyMap } from "./map-vocabulary.ts";
import { ALIGNED } from "./party-outputs.ts";
import { readJson } from "./read-json.ts";
import type { SelectedKnowledge } from "./train-party.ts";
import type { RunningJob } from "./with-job.ts";

/** What a target learns from this round: for each public sample the winner's knowledge in the target's own positions. */
export async function loadSelectedKnowledge(
  { deps, plan, identity: { round, party: target } }: RunningJob,
  samples: readonly Sample[],
): Promise<SelectedKnowledge> {
  const key = artefactKeys.selection(plan.run, round, target);
  const { sources, winners } = await readJson(deps.objects, deps.buckets.artefacts, key, selection);
  if (winners.length !== samples.length)
    throw new InvalidInputError(
      "SELECTION_MISFITS",
      `${key}: expected ${samples.length} winners, found ${winners.length}`,
    );
  const targets: (SampleTarget | null)[] = samples.map(() => null);
  const partitions: Int32Array[] = [];
  const { learn } = plan.spec.distillation;
  for (const [sourceIndex, source] of sources.entries()) {
    if (!winners.includes(sourceIndex)) continue;
    let partition = -1;
    let entryLimit = partyOf(plan, target).vocabularySize;
    if (learn === "group") {
      const map = await loadVocabularyMap(deps, plan, source, target);
      entryLimit = map.groups;
      partition = partitions.push(padded(map.groupOfTarget, map.groups, partyOf(plan, target).vocabularySize)) - 1;
    }
    for (let shard = 0; shard < plan.public.shards; shard++) {
      const first = shard * plan.spec.samplesPerShard;
      const last = Math.min(first + plan.spec.samplesPerShard, samples.length);
      if (!winners.slice(first, last).includes(sourceIndex)) continue;
      const folder = artefactKeys.aligned(plan.run, round, source, target, shard);
      const { aligned } = readAlignedShard(await readOutput(deps, folder, ALIGNED), `${folder}/${ALIGNED}`, {
        run: plan.run,
        round,
        source,
        target,
        shard,
        learn,
        targetTokenizerHash: partyOf(plan, target).tokenizerHash,
        datasetHash: plan.public.hash,
        entryLimit,
      });
      for (let index = first; index < last; index++)
        if (winners[index] === sourceIndex)
          targets[index] = targetOf(aligned, index - first, samples[index], partition, `${folder}/${ALIGNED}`);
    }
  }
  return { targets, partitions };
}

/** One sample's slice, copied, so that the shard around it can go. */
function targetOf(
  aligned: AlignedKnowledge,
  index: number,
  sample: Sample,
  partition: number,
  what: string,
): SampleTarget {
  if (!aligned.sampleIds.subarray(index * 16, index * 16 + 16).every((byte, place) => byte === sample.id[place]))
    throw new InvalidInputError(
      "SAMPLES_DIFFER",
      `${what}: sample ${index} is not the public set's sample at that place`,
    );
  const [first, last] = [aligned.positionOffsets[index], aligned.positionOffsets[index + 1]];
  const [begin, end] = [aligned.entryOffsets[first], aligned.entryOffsets[last]];
  return {
    positions: aligned.positions.slice(first, last),
    offsets: aligned.entryOffsets.slice(first, last + 1).map((offset) => offset - begin),
    entries: aligned.entries.slice(begin, end),
    probabilities: aligned.probabilities.slice(begin, end),
    tail: aligned.tail.slice(first, last),
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
