import { bitsPerByte } from "@fedmkt/shared/core/numeric/bits-per-byte.ts";
import { readAlignedShard } from "@fedmkt/shared/formats/aligned-shard.ts";
import { readKnowledgeShard } from "@fedmkt/shared/formats/knowledge-shard.ts";
import { formatShare, formatValue } from "@fedmkt/shared/report/table.ts";
import { formatSpread, type Inspection, type InspectionContext, plainId } from "./inspection.ts";

const SHOWN_TOKENS = 24;
const SHOWN_ENTRIES = 5;
const HASH_CHARACTERS = 12;

/** A knowledge shard, checked in full: what a model knows about a slice of the public set. */
export function inspectKnowledge(
  bytes: Uint8Array,
  what: string,
  { nameToken }: InspectionContext = { nameToken: plainId },
): Inspection {
  const { header, knowledge } = readKnowledgeShard(bytes, what, {});
  const { lossNats, answerBytes, tokenIds, tokenOffsets, positions, entryOffsets, topIds, topLogProbs, tailMass } =
    knowledge;
  const name = (id: number) => nameToken(header.party, id);
  const samples = lossNats.length;
  const answer = answerBytes.reduce((sum, count) => sum + count, 0);
  const nats = lossNats.reduce((sum, loss) => sum + loss, 0);
  const bits = Array.from(lossNats, (loss, sample) => bitsPerByte(loss, answerBytes[sample]));
  const first = positions.length === 0 ? [] : Array.from(topIds.subarray(0, Math.min(entryOffsets[1], SHOWN_ENTRIES)));
  return {
    kind: "knowledge shard",
    facts: {
      run: header.run,
      round: header.round,
      party: header.party,
      shard: header.shard,
      model: header.modelHash.slice(0, HASH_CHARACTERS),
      tokenizer: header.tokenizerHash.slice(0, HASH_CHARACTERS),
      "public set": header.datasetHash.slice(0, HASH_CHARACTERS),
      "vocabulary size": header.vocabularySize,
      samples,
      tokens: tokenIds.length,
      "answer positions": positions.length,
      "answer bytes": answer,
      "K (most entries kept a position)": header.topK,
      "mass kept": formatSpread(
        tailMass.map((tail) => 1 - tail),
        formatShare,
      ),
      "tail (mass cut off)": formatSpread(tailMass, formatShare),
      "bits/byte": answer === 0 ? "none" : formatValue(bitsPerByte(nats, answer)),
      "bits/byte by sample": formatSpread(bits, formatValue),
    },
    lines: [
      `first sample's tokens: ${Array.from(tokenIds.subarray(0, Math.min(SHOWN_TOKENS, tokenOffsets[1] ?? 0)), name).join(" ")}`,
      `first position's likeliest: ${first.map((id, index) => `${name(id)} (${formatShare(Math.exp(topLogProbs[index]))})`).join(", ") || "none"}`,
    ],
  };
}

/** An aligned shard: one party's knowledge in another's tokens. */
export function inspectAligned(
  bytes: Uint8Array,
  what: string,
  { nameToken }: InspectionContext = { nameToken: plainId },
): Inspection {
  const { header, aligned } = readAlignedShard(bytes, what, {});
  const { targetPositions, alignedPositions, keptMass, exactMass, unmappedMass } = aligned.statistics;
  // a group has an id of its own, which is no token's
  const name = (id: number) => (header.learn === "group" ? String(id) : nameToken(header.target, id));
  const share = (part: number, whole: number) => (whole === 0 ? "none" : formatShare(part / whole));
  const firstEntries = Array.from(aligned.entries.subarray(0, Math.min(SHOWN_ENTRIES, aligned.entryOffsets[1] ?? 0)));
  return {
    kind: "aligned shard",
    facts: {
      run: header.run,
      round: header.round,
      from: header.source,
      to: header.target,
      shard: header.shard,
      "entries are": header.learn === "group" ? "groups of target tokens" : "target tokens",
      samples: aligned.positionOffsets.length - 1,
      "target's answer positions": targetPositions,
      "of them aligned": `${alignedPositions} (${share(alignedPositions, targetPositions)})`,
      entries: aligned.entries.length,
      "mass kept": share(keptMass, alignedPositions),
      "mass on equal tokens": share(exactMass, alignedPositions),
      "mass mapped nowhere": share(unmappedMass, alignedPositions),
      "tail by position": formatSpread(aligned.tail, formatShare),
    },
    lines: [
      `first position's entries: ${firstEntries.map((id, index) => `${name(id)} (${formatShare(aligned.probabilities[index])})`).join(", ") || "none"}`,
    ],
  };
}
