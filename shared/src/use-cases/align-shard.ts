import { artefactKeys, MANIFEST } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { alignKnowledge } from "../core/alignment/align-knowledge.ts";
import type { Sample } from "../core/samples/sample.ts";
import { keepAdvantageous } from "../core/selection/token-advantage.ts";
import { writeAlignedShard } from "../formats/aligned-shard.ts";
import { readKnowledgeShard } from "../formats/knowledge-shard.ts";
import { writePairedLosses } from "../formats/paired-losses.ts";
import { checkTokens } from "./check-tokens.ts";
import type { StageDependencies } from "./dependencies.ts";
import { finishedJob, JobOutputs, readOutput } from "./job-outputs.ts";
import { loadPlan, partyOf } from "./load-plan.ts";
import { loadVocabularyMap } from "./map-vocabulary.ts";
import { ALIGNED, type KnowledgeOf, knowledgeName, knowledgeOffered, knowledgeOwned, LOSSES } from "./party-outputs.ts";
import { partyTokenizer } from "./party-tokenizer.ts";
import { loadPublicShard } from "./public-set.ts";

/**
 * Translates one shard. Both shards are checked on arrival, claimed losses included; the small file of losses beside the
 * translation is all that selection needs to read. Where selection is by token the translation holds only the positions at which
 * the source says more of the truth than the target.
 */
export function alignShard(deps: StageDependencies) {
  return async ({
    run,
    round,
    source,
    target,
    shard,
  }: StageInput<"align-shard">): Promise<StageOutput<"align-shard">> => {
    const folder = artefactKeys.aligned(run, round, source, target, shard);
    if (await finishedJob(deps, folder)) return { manifest: `${folder}/${MANIFEST}` };
    const plan = await loadPlan(deps, run);
    const samples = await loadPublicShard(deps, plan, shard);
    const offered = await loadKnowledge(deps, plan, knowledgeOffered(plan, round, source), shard, samples);
    const owned = await loadKnowledge(deps, plan, knowledgeOwned(plan, round, target), shard, samples);
    const map = await loadVocabularyMap(deps, plan, source, target);
    const { alignment, transfer, learn, temperature, selection } = plan.spec.distillation;
    const vocabularies = { source: offered.vocabulary, target: owned.vocabulary };
    const isByToken = selection === "token";
    const choices = { alignment, transfer, learn, temperature, labels: !isByToken };
    const whole = alignKnowledge(offered.knowledge, owned.knowledge, map, vocabularies, choices);
    const groupOfTarget = learn === "group" ? map.groupOfTarget : null;
    const better = isByToken && keepAdvantageous(whole, owned.knowledge, { transfer, temperature, groupOfTarget });
    const { aligned, advantage } = better ? better : { aligned: whole, advantage: null };
    const outputs = new JobOutputs(deps, { run, round, stage: "align-shard", party: target }, folder);
    const bytes = writeAlignedShard(aligned, {
      run,
      round,
      source,
      target,
      shard,
      learn,
      sourceTokenizerHash: partyOf(plan, source).tokenizerHash,
      targetTokenizerHash: partyOf(plan, target).tokenizerHash,
      datasetHash: plan.public.hash,
    });
    await outputs.write(ALIGNED, bytes);
    await outputs.write(LOSSES, writePairedLosses(offered.knowledge, owned.knowledge, advantage));
    return outputs.commit({ ...aligned.statistics, bytes: offered.bytes + bytes.length });
  };
}

async function loadKnowledge(
  deps: StageDependencies,
  plan: Plan,
  { party, run, round, folder }: KnowledgeOf,
  shard: number,
  samples: readonly Sample[],
) {
  const bytes = await readOutput(deps, folder, knowledgeName(shard));
  const { tokenizerHash, vocabularySize, contextTokens } = partyOf(plan, party);
  const what = `${party}: ${folder}/${knowledgeName(shard)}`;
  const { knowledge } = readKnowledgeShard(bytes, what, {
    run,
    round,
    party,
    shard,
    tokenizerHash,
    vocabularySize,
    datasetHash: plan.public.hash,
  });
  const tokenizer = await partyTokenizer(deps, plan.spec, party);
  const { positions } = plan.spec.distillation;
  checkTokens(knowledge, { party, tokenizer, contextTokens, samples, positions }, what);
  return { knowledge, vocabulary: tokenizer.vocabulary, bytes: bytes.length };
}
