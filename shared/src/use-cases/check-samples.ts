import { shardName } from "../contracts/keys.ts";
import type { RunSpec } from "../contracts/run-spec.ts";
import { checkWritten } from "../core/alignment/check-written.ts";
import { encodeSample } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import { formatSampleId, type Sample } from "../core/samples/sample.ts";
import { MAX_SHARD_BYTES } from "../formats/knowledge-shard.ts";
import type { PlannedParty } from "./plan-parties.ts";

/** Bytes of a shard for each kept entry (an id and a log-probability), and for each token (its id, end, position, tail). */
const ENTRY_BYTES = 8;
const TOKEN_BYTES = 16;

/**
 * Reads the public set as every party will: each sample must fit its context and be written in its tokens, and each shard of
 * its knowledge must fit a shard's limit. Found here, before anything trains.
 * @throws InvalidInputError `SAMPLE_EXCEEDS_CONTEXT`, `ANSWER_UNWRITABLE`, `SHARD_TOO_LARGE`, naming party and sample or shard
 */
export function checkPublicSet(spec: RunSpec, parties: readonly PlannedParty[], samples: readonly Sample[]): void {
  for (const { id, tokenizer, contextTokens, vocabularySize } of parties) {
    const kept = Math.min(spec.distillation.topK, vocabularySize);
    let bytes = 0;
    for (const [index, sample] of samples.entries()) {
      const encoded = encodeSample(sample, tokenizer, contextTokens, id);
      checkWritten(encoded, tokenizer.vocabulary.roles.unknown, `${id}: public sample ${formatSampleId(sample.id)}`);
      if (index % spec.samplesPerShard === 0) bytes = 0;
      bytes += encoded.ids.length * (TOKEN_BYTES + kept * ENTRY_BYTES);
      if (bytes > MAX_SHARD_BYTES)
        throw new InvalidInputError(
          "SHARD_TOO_LARGE",
          `${id}: ${shardName(Math.floor(index / spec.samplesPerShard))} of its knowledge would be over ${MAX_SHARD_BYTES} bytes with ${spec.samplesPerShard} samples and ${kept} entries a position; lower samplesPerShard or distillation.topK`,
        );
    }
  }
}

/**
 * Reads a held-out set as every party that is scored on it will.
 * @param set - as errors name it, such as "evaluation ward"
 * @throws InvalidInputError `SAMPLE_EXCEEDS_CONTEXT`, `ANSWER_UNWRITABLE`, naming party, set and sample
 */
export function checkHeldOutSet(set: string, parties: readonly PlannedParty[], samples: readonly Sample[]): void {
  for (const { id, tokenizer, contextTokens } of parties)
    for (const sample of samples) {
      const encoded = encodeSample(sample, tokenizer, contextTokens, id);
      const what = `${id}: ${set}, sample ${formatSampleId(sample.id)}`;
      checkWritten(encoded, tokenizer.vocabulary.roles.unknown, what);
    }
}
