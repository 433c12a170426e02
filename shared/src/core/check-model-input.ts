import { InvalidInputError } from "./errors.ts";

/** What of a model its input must fit. */
export interface ModelBounds {
  vocabularySize: number;
  contextTokens: number;
}

/** A sample as `EncodedSample` of ports/engine.ts has it. */
interface Sample {
  ids: Int32Array;
  answer: Uint8Array;
}

/** Knowledge as `SampleTarget` of ports/engine.ts has it. */
interface Target {
  positions: Int32Array;
  offsets: Int32Array;
  entries: Int32Array;
  probabilities: Float32Array;
  tail: Float32Array;
  partition: number;
}

/** What a model is trained on. */
export interface Lessons {
  samples: readonly Sample[];
  targets?: readonly (Target | null)[];
  partitions?: readonly Int32Array[];
}

/** @throws InvalidInputError `SAMPLE_INVALID` naming the sample's index, expected and got */
export function checkSamples(samples: readonly Sample[], bounds: ModelBounds): void {
  samples.forEach(({ ids, answer }, index) => {
    const refuse = (reason: string) => new InvalidInputError("SAMPLE_INVALID", `sample ${index}: ${reason}`);
    if (ids.length === 0) throw refuse("expected at least one token, got none");
    if (ids.length > bounds.contextTokens)
      throw refuse(`expected at most ${bounds.contextTokens} tokens, the model's context, got ${ids.length}`);
    if (answer.length !== ids.length)
      throw refuse(`expected an answer flag for each of ${ids.length} tokens, got ${answer.length}`);
    if (answer[0]) throw refuse("expected the first token not to be an answer token: nothing predicts it");
    for (const id of ids)
      if (id < 0 || id >= bounds.vocabularySize)
        throw refuse(`expected token ids below ${bounds.vocabularySize}, the model's vocabulary, got ${id}`);
  });
}

/** @throws InvalidInputError `KNOWLEDGE_INVALID` naming sample, position, expected and got */
export function checkTargets(lessons: Lessons, bounds: ModelBounds): void {
  const { samples, targets, partitions = [] } = lessons;
  if (!targets) return;
  const groups = partitions.map((partition, index) => countGroups(partition, index, bounds.vocabularySize));
  if (targets.length !== samples.length)
    throw invalid(`expected a target or null for each of ${samples.length} samples, got ${targets.length}`);
  targets.forEach((target, index) => {
    if (!target) return;
    const refuse = (reason: string) => invalid(`sample ${index}: ${reason}`);
    const { positions, offsets, entries, probabilities, tail, partition } = target;
    if (!Number.isInteger(partition) || partition < -1 || partition >= partitions.length)
      throw refuse(`expected one of ${partitions.length} partitions or −1, got ${partition}`);
    if (offsets.length !== positions.length + 1 || tail.length !== positions.length)
      throw refuse(
        `expected ${positions.length + 1} offsets and ${positions.length} tails, got ${offsets.length} and ${tail.length}`,
      );
    if (offsets[0] !== 0 || offsets.at(-1) !== entries.length || entries.length !== probabilities.length)
      throw refuse(
        `expected offsets from 0 to the ${entries.length} entries and as many probabilities, got ${offsets[0]} to ${offsets.at(-1)} and ${probabilities.length}`,
      );
    const bound = partition < 0 ? bounds.vocabularySize : groups[partition];
    positions.forEach((position, at) => {
      const [least, most] = [at > 0 ? positions[at - 1] + 1 : 0, samples[index].ids.length - 2];
      if (position < least || position > most)
        throw refuse(`expected ascending positions that a token follows, up to ${most}, got ${position} at ${at}`);
      if (offsets[at + 1] < offsets[at]) throw refuse(`position ${position}: expected ascending offsets`);
      const seen = new Set<number>();
      for (let entry = offsets[at]; entry < offsets[at + 1]; entry++) {
        const id = entries[entry];
        if (id < 0 || id >= bound || seen.has(id))
          throw refuse(`position ${position}: expected distinct entries below ${bound}, got ${id}`);
        seen.add(id);
        if (!(probabilities[entry] >= 0 && probabilities[entry] <= 1 + MASS_SLACK))
          throw refuse(`position ${position}: expected probabilities from 0 to 1, got ${probabilities[entry]}`);
      }
      if (!(tail[at] >= -MASS_SLACK && tail[at] <= 1 + MASS_SLACK))
        throw refuse(`position ${position}: expected a tail from 0 to 1, got ${tail[at]}`);
    });
  });
}

/** Rounding that sums of float32 masses may show. */
const MASS_SLACK = 1e-3;

function countGroups(partition: Int32Array, index: number, vocabularySize: number): number {
  if (partition.length !== vocabularySize)
    throw invalid(`partition ${index}: expected a group for each of ${vocabularySize} tokens, got ${partition.length}`);
  let most = -1;
  for (const group of partition) {
    if (group < 0 || group >= vocabularySize)
      throw invalid(`partition ${index}: expected groups from 0 to ${vocabularySize - 1}, got ${group}`);
    if (group > most) most = group;
  }
  return most + 1;
}

function invalid(reason: string): InvalidInputError {
  return new InvalidInputError("KNOWLEDGE_INVALID", `knowledge: ${reason}`);
}
