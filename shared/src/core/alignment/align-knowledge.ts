import { InvariantError } from "../errors.ts";
import { type AlignedKnowledge, type Knowledge, MAPPED, type VocabularyMap } from "../knowledge.ts";
import { carryMass } from "./carry-mass.ts";
import { matchBlocks, type Vocabularies } from "./match-blocks.ts";
import { checkSameSamples } from "./match-positions.ts";
import { sampleTokens } from "./sample-tokens.ts";
import { type AlignmentStrategy, alignSequences } from "./sequence-alignment.ts";
import { tokenSpeller } from "./token-strings.ts";
import { FateTransfer, type TransferredScores } from "./transfer-fate.ts";
import { pairAsPaper } from "./transfer-paper.ts";

export interface AlignmentSettings {
  /** which positions of the two tokenisations belong together */
  alignment: AlignmentStrategy;
  /** what becomes of the source's probabilities there, and what is learned elsewhere */
  transfer: "product" | "paper" | "fate";
  /** mass on groups of the target's tokens, or on single ones; `paper` and `fate` know single ones only */
  learn: "group" | "token";
  temperature: number;
  /** whether `paper` and `fate` teach a label where nothing is transferred; default true */
  labels?: boolean;
}

/**
 * Translates a source's knowledge into a target's tokens and positions.
 *
 * - `product`: the last token of a block gives to the last token of a block, where both have read exactly the same bytes;
 *   mass is summed, the tail is kept, elsewhere nothing is taught.
 * - `paper`: also where the tokens are spelt alike or mapped on each other; mass is summed and renormalised, so that there is
 *   no tail; elsewhere the label is taught, the next token.
 * - `fate`: FATE-LLM's {@link FateTransfer}, and its softmax over the entries it keeps; no tail. Its scores are log-probabilities
 *   here, which give the same softmax as logits except where `greedy-dp` takes means over several positions. Every transferred
 *   position counts as kept in full, and nothing as mapped nowhere.
 *
 * @throws InvalidInputError `SAMPLES_DIFFER`; of `dtw` and `greedy-dp` `SEQUENCES_TOO_LONG`
 *
 * Time and memory O(tokens + E), E the source's entries; for `dtw` and `greedy-dp` O(S · T) more for each sample.
 */
export function alignKnowledge(
  source: Knowledge,
  target: Knowledge,
  map: VocabularyMap,
  vocabularies: Vocabularies,
  { alignment, transfer, learn, temperature, labels = true }: AlignmentSettings,
): AlignedKnowledge {
  if (transfer !== "product" && learn === "group")
    throw new InvariantError("GROUPS_NOT_TRANSFERRED", `transfer ${transfer}: expected learn token, got group`);
  if (transfer === "product")
    return carryMass(source, target, matchBlocks(source, target, alignment, vocabularies), map, { learn, temperature });
  if (transfer === "paper") {
    const pairs = pairAsPaper(source, target, map, alignment, vocabularies, labels);
    return carryMass(source, target, pairs, map, { learn, temperature, renormalise: true });
  }
  return transferAsFate(source, target, map, vocabularies, { alignment, temperature, labels });
}

function transferAsFate(
  source: Knowledge,
  target: Knowledge,
  map: VocabularyMap,
  vocabularies: Vocabularies,
  { alignment, temperature, labels }: { alignment: AlignmentStrategy; temperature: number; labels: boolean },
): AlignedKnowledge {
  checkSameSamples(source, target);
  const fate = new FateTransfer(map, vocabularies);
  const spellSource = tokenSpeller(vocabularies.source, "");
  const spellTarget = tokenSpeller(vocabularies.target, "");
  const exact = exactTokens(map);
  const samples = target.positionOffsets.length - 1;
  const positionOffsets = new Int32Array(samples + 1);
  const positions: number[] = [];
  const entryOffsets = [0];
  const entries: number[] = [];
  const probabilities: number[] = [];
  let alignedPositions = 0;
  let exactMass = 0;
  for (let sample = 0; sample < samples; sample++) {
    const from = sampleTokens(source, sample, spellSource);
    const to = sampleTokens(target, sample, spellTarget);
    const rows = fate.transfer(alignment, from.ids, to.ids, alignSequences(alignment, from, to), (token) => {
      const row = from.rows[token];
      if (row < 0) return null;
      const [first, stop] = [source.entryOffsets[row], source.entryOffsets[row + 1]];
      return { ids: source.topIds.subarray(first, stop), scores: source.topLogProbs.subarray(first, stop) };
    });
    for (let row = target.positionOffsets[sample]; row < target.positionOffsets[sample + 1]; row++) {
      const learned = rows[target.positions[row]];
      if (learned === null || (learned.isLabel && !labels)) continue;
      if (!learned.isLabel) alignedPositions++;
      if (learned.ids.length === 0) continue;
      for (const { id, probability } of softmaxById(learned, temperature)) {
        entries.push(id);
        probabilities.push(probability);
        if (!learned.isLabel && exact.has(id)) exactMass += probability;
      }
      positions.push(target.positions[row]);
      entryOffsets.push(entries.length);
    }
    positionOffsets[sample + 1] = positions.length;
  }
  return {
    sampleIds: target.sampleIds,
    positionOffsets,
    positions: Int32Array.from(positions),
    entryOffsets: Int32Array.from(entryOffsets),
    entries: Int32Array.from(entries),
    probabilities: Float32Array.from(probabilities),
    tail: new Float32Array(positions.length),
    statistics: {
      targetPositions: target.positions.length,
      alignedPositions,
      keptMass: alignedPositions,
      exactMass,
      unmappedMass: 0,
    },
  };
}

/** Target tokens that stand for a source token of the same bytes, string or role. */
function exactTokens({ targetOfSource, kind }: VocabularyMap): Set<number> {
  const exact = new Set<number>();
  targetOfSource.forEach((to, id) => {
    if (kind[id] === MAPPED.equal || kind[id] === MAPPED.role) exact.add(to);
  });
  return exact;
}

function softmaxById({ ids, scores }: TransferredScores, temperature: number): { id: number; probability: number }[] {
  const peak = Array.from(scores).reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Array.from(scores, (score) => Math.exp((score - peak) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight, index) => ({ id: ids[index], probability: weight / total })).sort((a, b) => a.id - b.id);
}
