import { artefactKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { mapVocabulary as mapVocabularies } from "../core/alignment/vocabulary-map.ts";
import type { VocabularyMap } from "../core/knowledge.ts";
import { readVocabularyMap, writeVocabularyMap } from "../formats/vocabulary-map.ts";
import type { StageDependencies } from "./dependencies.ts";
import { loadPlan, partyOf } from "./load-plan.ts";
import { partyTokenizer } from "./party-tokenizer.ts";

/** Largest map file: 13 bytes for each source and 4 for each target token, a million of each, and room to spare. */
const MAX_MAP_BYTES = 64 * 1024 * 1024;

/** Computes one ordered pair's vocabulary map, of all tokens, unless a run before did: its key is its content's hash. */
export function mapVocabulary(deps: StageDependencies) {
  return async ({ run, source, target }: StageInput<"map-vocabulary">): Promise<StageOutput<"map-vocabulary">> => {
    const plan = await loadPlan(deps, run);
    const key = mapKey(plan, source, target);
    if (await deps.objects.head(deps.buckets.artefacts, key)) return { key, computed: false };
    const sourceTokenizer = await partyTokenizer(deps, plan.spec, source);
    const targetTokenizer = await partyTokenizer(deps, plan.spec, target);
    const map = mapVocabularies(
      sourceTokenizer.vocabulary,
      targetTokenizer.vocabulary,
      plan.spec.distillation.vocabularyMap,
    );
    const bytes = writeVocabularyMap(map, {
      sourceTokenizerHash: sourceTokenizer.hash,
      targetTokenizerHash: targetTokenizer.hash,
    });
    await deps.objects.put(deps.buckets.artefacts, key, bytes);
    return { key, computed: true };
  };
}

/** The map from one party's vocabulary to another's. */
export async function loadVocabularyMap(
  deps: StageDependencies,
  plan: Plan,
  source: string,
  target: string,
): Promise<VocabularyMap> {
  const key = mapKey(plan, source, target);
  const bytes = await deps.objects.get(deps.buckets.artefacts, key, MAX_MAP_BYTES);
  return readVocabularyMap(bytes, key, {
    sourceTokenizerHash: partyOf(plan, source).tokenizerHash,
    targetTokenizerHash: partyOf(plan, target).tokenizerHash,
  });
}

function mapKey(plan: Plan, source: string, target: string): string {
  return artefactKeys.map(
    plan.spec.distillation.vocabularyMap,
    partyOf(plan, source).vocabularyHash,
    partyOf(plan, target).vocabularyHash,
  );
}
