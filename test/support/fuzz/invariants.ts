import { createHash } from "node:crypto";
import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import type { PairedLosses } from "../../../shared/src/formats/paired-losses.ts";
import type { PeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import type { Tensor } from "../../../shared/src/formats/safetensors.ts";
import type { TrainingState } from "../../../shared/src/formats/training-state.ts";
import type { PlainVocabularyMap } from "../../../shared/src/formats/vocabulary-map-json.ts";

/**
 * What everything behind the readers takes for granted, said once more and naively: slow, and without the readers' own code.
 * Each throws where a value that a reader let through breaks it.
 */
export class Broken extends Error {
  override readonly name = "Broken";
}

function holds(condition: boolean, law: string): void {
  if (!condition) throw new Broken(`expected ${law}`);
}

const isWhole = (value: number, least: number, below: number) =>
  Number.isInteger(value) && value >= least && value < below;
/** What single precision and the readers' tolerance allow. */
const isAlmost = (value: number, expected: number, by: number) => Math.abs(value - expected) <= by;
const MASS_TOLERANCE = 2e-3;

function cutBy(offsets: ArrayLike<number>, parted: number, pieces: number, name: string): [number, number][] {
  holds(offsets.length === pieces + 1 && offsets[0] === 0 && offsets[pieces] === parted, `${name} to part ${parted}`);
  return Array.from({ length: pieces }, (_, piece) => {
    holds(isWhole(offsets[piece + 1], offsets[piece], parted + 1), `${name} to ascend within ${parted}`);
    return [offsets[piece], offsets[piece + 1]];
  });
}

function distinctIds(sampleIds: Uint8Array): number {
  const ids = Array.from({ length: sampleIds.length / 16 }, (_, sample) =>
    Buffer.from(sampleIds.slice(sample * 16, sample * 16 + 16)).toString("hex"),
  );
  holds(sampleIds.length === ids.length * 16 && new Set(ids).size === ids.length, "16 bytes a sample, each id once");
  return ids.length;
}

/**
 * By {@link Knowledge}'s own words, and a claimed loss that its entries do not contradict.
 *
 * @param roundedNats - by how much the encoding may have changed an answer token's log-probability
 */
export function checkKnowledgeHolds(
  knowledge: Knowledge,
  { vocabularySize, topK }: { vocabularySize: number; topK: number },
  roundedNats: number,
): void {
  const { lossNats, answerBytes, answerPositions, tokenIds, tokenEnds, positions, topIds, topLogProbs, tailMass } =
    knowledge;
  const samples = distinctIds(knowledge.sampleIds);
  for (const list of [lossNats, answerBytes, answerPositions]) holds(list.length === samples, "a number a sample");
  holds(tokenEnds.length === tokenIds.length, "an end a token");
  holds(tailMass.length === positions.length, "a tail a position");
  holds(topLogProbs.length === topIds.length, "a log-probability an entry");
  holds(
    Array.from(tokenIds).every((id) => isWhole(id, 0, vocabularySize)),
    "tokens of the vocabulary",
  );
  const tokensOf = cutBy(knowledge.tokenOffsets, tokenIds.length, samples, "tokenOffsets");
  const positionsOf = cutBy(knowledge.positionOffsets, positions.length, samples, "positionOffsets");
  const entriesOf = cutBy(knowledge.entryOffsets, topIds.length, positions.length, "entryOffsets");
  entriesOf.forEach(([begin, end], at) => {
    holds(end - begin >= 1 && end - begin <= topK, `1 to ${topK} entries a position`);
    const ids = Array.from(topIds.slice(begin, end));
    const logs = Array.from(topLogProbs.slice(begin, end));
    holds(ids.every((id) => isWhole(id, 0, vocabularySize)) && new Set(ids).size === ids.length, "distinct ids");
    holds(
      logs.every((log, index) => log <= (index === 0 ? 1e-3 : logs[index - 1]) && log > -Infinity),
      "descending logs",
    );
    const mass = logs.reduce((sum, log) => sum + Math.exp(log), 0);
    holds(tailMass[at] >= 0 && tailMass[at] <= 1, "a tail from 0 to 1");
    holds(isAlmost(mass + tailMass[at], 1, MASS_TOLERANCE), "a position's masses to sum to 1");
  });
  for (let sample = 0; sample < samples; sample++) {
    const [firstToken, endToken] = tokensOf[sample];
    const [begin, end] = positionsOf[sample];
    const places = Array.from(positions.slice(begin, end));
    const ends = Array.from(tokenEnds.slice(firstToken, endToken));
    holds(
      ends.every((at, index) => at >= (index === 0 ? -1 : ends[index - 1])),
      "ends that never fall",
    );
    holds(
      places.every((place, index) => isWhole(place, index === 0 ? 0 : places[index - 1] + 1, ends.length - 1)),
      "places",
    );
    holds(lossNats[sample] >= 0 && lossNats[sample] < Infinity && answerBytes[sample] > 0, "a finite loss a byte");
    const answers = answerPositions[sample];
    holds(isWhole(answers, 1, places.length + 1), "answer positions among the positions");
    holds(
      places.slice(-answers).every((place, index) => place === ends.length - 1 - answers + index),
      "no gap in answers",
    );
    let least = 0;
    let unknown = 0;
    for (let at = end - answers; at < end; at++) {
      const [first, last] = entriesOf[at];
      const answer = tokenIds[firstToken + positions[at] + 1];
      const found = Array.from(topIds.slice(first, last)).indexOf(answer);
      if (found >= 0) least -= topLogProbs[first + found];
      else {
        unknown++;
        least -= Math.log(Math.min(tailMass[at] + MASS_TOLERANCE, Math.exp(topLogProbs[last - 1])));
      }
    }
    const tolerance = (2e-3 + roundedNats) * answers;
    holds(lossNats[sample] >= least - tolerance, "a loss of at least what the entries say");
    holds(unknown > 0 || lossNats[sample] <= least + tolerance, "a loss that is known to be the known one");
  }
}

export function checkAlignedHolds(aligned: AlignedKnowledge): void {
  const { positions, entries, probabilities, tail, statistics } = aligned;
  const samples = distinctIds(aligned.sampleIds);
  holds(tail.length === positions.length && probabilities.length === entries.length, "a number each");
  for (const [begin, end] of cutBy(aligned.positionOffsets, positions.length, samples, "positionOffsets"))
    for (let at = begin; at < end; at++) holds(positions[at] >= (at > begin ? positions[at - 1] + 1 : 0), "places");
  cutBy(aligned.entryOffsets, entries.length, positions.length, "entryOffsets").forEach(([begin, end], at) => {
    let mass = tail[at];
    for (let entry = begin; entry < end; entry++) {
      holds(entries[entry] >= (entry > begin ? entries[entry - 1] + 1 : 0), "ascending entries");
      holds(probabilities[entry] >= 0 && probabilities[entry] <= 1 + MASS_TOLERANCE, "probabilities");
      mass += probabilities[entry];
    }
    holds(tail[at] >= 0 && isAlmost(mass, 1, MASS_TOLERANCE), "a position's masses to sum to 1");
  });
  for (const value of Object.values(statistics)) holds(value >= 0 && value < Infinity, "finite statistics");
  holds(statistics.alignedPositions <= statistics.targetPositions, "no more aligned positions than positions");
}

export function checkMapHolds(map: VocabularyMap): void {
  const { targetOfSource, kind, distance, groupOfTarget, groups, groupOfSource } = map;
  holds(["product", "min-edit", "reference"].includes(map.rule), "a known rule");
  const sources = targetOfSource.length;
  for (const list of [kind, distance, groupOfSource]) holds(list.length === sources, "a number a source token");
  const seen: number[] = [];
  for (const group of groupOfTarget) {
    if (!seen.includes(group)) {
      holds(group === seen.length, "groups numbered by first member");
      seen.push(group);
    }
  }
  holds(seen.length === groups, "as many groups as are said");
  for (let source = 0; source < sources; source++) {
    holds(isWhole(targetOfSource[source], -1, groupOfTarget.length), "a target that exists");
    holds(isWhole(groupOfSource[source], -1, groups), "a group that exists");
    holds(kind[source] <= 4 && (kind[source] === 0) === (targetOfSource[source] === -1), "a kind that fits the target");
    holds(distance[source] >= 0 && (kind[source] === 4 || distance[source] === 0), "a distance that fits the kind");
  }
}

export function checkPlainMapHolds({ rule, source, target, targetOfSource, distance }: PlainVocabularyMap): void {
  holds(["product", "min-edit", "reference"].includes(rule), "a known rule");
  holds(
    [source, target].every((name) => typeof name === "string"),
    "names",
  );
  holds(targetOfSource.length === distance.length, "a distance a token");
  targetOfSource.forEach((id, token) => {
    holds(isWhole(id, -1, 2 ** 20) && distance[token] >= 0, "a target and a distance");
    holds(id >= 0 || distance[token] === 0, "no distance to nowhere");
  });
}

export function checkLossesHold(losses: PairedLosses): void {
  const { advantage, ...lists } = losses;
  const { sourceNats, targetNats, answerBytes } = lists;
  for (const list of Object.values({ ...lists, ...advantage }))
    holds(list.length === sourceNats.length, "a number a sample");
  for (const list of [sourceNats, targetNats]) for (const nats of list) holds(nats >= 0 && nats < Infinity, "a loss");
  for (const bytes of answerBytes) holds(bytes > 0, "an answer of some bytes");
  const { sourceAnswerTokens, sourceTokens, targetAnswerTokens, targetTokens } = losses;
  sourceTokens.forEach((tokens, sample) => {
    holds(isWhole(sourceAnswerTokens[sample], 1, tokens), "fewer answer tokens of the source than tokens");
    holds(isWhole(targetAnswerTokens[sample], 1, targetTokens[sample]), "and of the target");
  });
  advantage?.nats.forEach((nats, sample) => {
    const kept = advantage.positions[sample];
    holds(nats >= 0 && nats < Infinity && isWhole(kept, 0, targetTokens[sample]), "an advantage at some of the tokens");
    holds(kept > 0 || nats === 0, "no advantage at no token");
  });
}

export function checkTrainingHolds({
  belongsTo,
  step,
  values,
  mean,
  variance,
  lossByEpoch,
  epoch,
}: TrainingState): void {
  holds(/^[0-9a-f]{64}$/.test(belongsTo) && isWhole(step, 0, 2 ** 41), "an identity and a step");
  holds(values.length === mean.length && mean.length === variance.length, "a moment a value");
  for (const list of [values, mean, variance, lossByEpoch])
    for (const value of list) holds(Number.isFinite(value), "finite numbers");
  for (const value of variance) holds(value >= 0, "no negative variance");
  holds(Number.isFinite(epoch.weightedLoss) && isWhole(epoch.answers, 0, 2 ** 53), "an epoch's sums");
}

export function checkAdapterHolds({ baseModel, rank, alpha, targets, layers }: PeftAdapter): void {
  holds(typeof baseModel === "string" && isWhole(rank, 1, 2 ** 17) && alpha > 0 && alpha < Infinity, "settings");
  holds(layers.size > 0 && targets.length > 0, "layers and targets");
  for (const { down, up } of layers.values()) {
    holds(down.shape.length === 2 && up.shape.length === 2, "matrices");
    holds(down.shape[0] === rank && up.shape[1] === rank, "matrices of the rank");
    for (const { dtype, data } of [down, up])
      for (const value of data)
        holds(
          dtype === "F32"
            ? Number.isFinite(value)
            : (Number(value) & (dtype === "F16" ? 0x7c00 : 0x7f80)) !== (dtype === "F16" ? 0x7c00 : 0x7f80),
          "finite weights",
        );
  }
}

export function checkIndexHolds(files: ReadonlyMap<string, string>): void {
  for (const file of files.values()) holds(/^model-[0-9]+-of-[0-9]+\.safetensors$/.test(file), "the name of a part");
}

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** That each tensor holds the very bytes that the header gives to it, and no byte belongs to none or two. */
export function checkTensorsHold(file: Uint8Array, tensors: ReadonlyMap<string, Tensor>): void {
  const headerBytes = 8 + Number(Buffer.from(file.slice(0, 8)).readBigUInt64LE());
  const { __metadata__: _, ...said } = JSON.parse(Buffer.from(file.slice(8, headerBytes)).toString("utf8"));
  holds(Object.keys(said).sort().join() === [...tensors.keys()].sort().join(), "the tensors that the header names");
  let total = headerBytes;
  for (const [name, { dtype, shape, data }] of tensors) {
    const [begin, end] = said[name].data_offsets;
    holds(said[name].dtype === dtype && said[name].shape.join() === shape.join(), "the header's type and shape");
    holds(shape.reduce((product, size) => product * size, 1) === data.length, "as many elements as the shape says");
    const held = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    holds(sha256(held) === sha256(file.slice(headerBytes + begin, headerBytes + end)), "its own bytes");
    total += data.byteLength;
  }
  holds(total === file.length, "every byte to belong to one tensor");
}
