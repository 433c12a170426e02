import { shardName } from "../contracts/keys.ts";
import type { Knowledge } from "../core/knowledge.ts";
import { MAX_VOCABULARY } from "../core/model-limits.ts";
import { SAMPLE_ID_BYTES } from "../core/samples/sample.ts";
import { checkClaimedLoss } from "./claimed-loss.ts";
import { checkKnowledge } from "./knowledge-checks.ts";
import {
  checkExpected,
  checkShapes,
  MAX_OWN_HEADER_BYTES,
  parseCount,
  parseHash,
  parseIdentifier,
  parseShare,
  type Refuse,
  refuseWith,
  takeMetadata,
  takeTensors,
} from "./named-tensors.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

/** Longest shard: a Lambda function reads one whole, with room for what it makes of it. */
export const MAX_SHARD_BYTES = 64 * 1024 * 1024;

/** What a shard says of itself: which run's, whose, about what, made with what. */
export interface ShardHeader {
  run: string;
  round: number;
  /** a client's id, or "server" */
  party: string;
  /** which slice of the public set */
  shard: number;
  /** SHA-256 in hex of the model, the tokenizer and the public set */
  modelHash: string;
  tokenizerHash: string;
  datasetHash: string;
  vocabularySize: number;
  /** the most entries kept at a position */
  topK: number;
  /** the mass at which a position's entries end; 1: only topK ends them */
  topP: number;
}

const FORMAT = { format: "fedmkt.knowledge", version: "2" } as const;
const KEYS = [
  "run",
  "round",
  "party",
  "shard",
  "modelHash",
  "tokenizerHash",
  "datasetHash",
  "vocabularySize",
  "topK",
  "topP",
] as const satisfies (keyof ShardHeader)[];

const DTYPES = {
  sampleIds: "U8",
  lossNats: "F64",
  answerBytes: "I32",
  answerPositions: "I32",
  tokenOffsets: "I32",
  tokenIds: "I32",
  tokenEnds: "I32",
  positionOffsets: "I32",
  positions: "I32",
  entryOffsets: "I32",
  topIds: "I32",
  topLogProbs: "F32",
  tailMass: "F32",
} as const;

/**
 * Knowledge as a shard in the `plain` encoding: a safetensors file whose tensors are named as {@link Knowledge}'s fields.
 * Equal knowledge gives equal bytes. Checked as a reader would, so that a model that broke says so at home.
 *
 * @throws InvalidInputError `SHARD_INVALID`, `SHARD_LIE`, `SHARD_TOO_LARGE`
 */
export function writeKnowledgeShard(knowledge: Knowledge, header: ShardHeader): Uint8Array {
  const shapes = shapesOf(knowledge);
  const tensors = Object.fromEntries(
    Object.entries(DTYPES).map(([name, dtype]) => {
      const field = name as keyof typeof DTYPES;
      return [field, { dtype, shape: shapes[field], data: knowledge[field] }];
    }),
  ) as Parameters<typeof writeSafetensors>[0];
  const bytes = writeSafetensors(tensors, {
    ...FORMAT,
    ...Object.fromEntries(KEYS.map((key) => [key, String(header[key])])),
  });
  readKnowledgeShard(bytes, "writing", {});
  return bytes;
}

/**
 * Reads a shard and believes nothing: form, header, order, ranges, sums, and that its claimed losses fit its top-K.
 *
 * @param what - the file as errors name it
 * @param expected - what the reader asked for; each field given must be equal
 * @returns arrays that view `bytes` where alignment allows
 * @throws InvalidInputError `SHARD_TOO_LARGE`, `SHARD_MISMATCH` (another tokenizer, run, party, data set), `SHARD_INVALID`,
 *   `SHARD_LIE`; they name party, shard, sample and position. `SAFETENSORS_…` where the file itself is broken
 */
export function readKnowledgeShard(
  bytes: Uint8Array,
  what: string,
  expected: Partial<ShardHeader>,
): { header: ShardHeader; knowledge: Knowledge } {
  if (bytes.length > MAX_SHARD_BYTES)
    throw refuseWith(
      "SHARD_TOO_LARGE",
      what,
    )(`expected a shard of at most ${MAX_SHARD_BYTES} bytes, got ${bytes.length}`);
  const { tensors, metadata } = readSafetensors(bytes, what, MAX_OWN_HEADER_BYTES);
  const header = parseHeader(metadata, refuseWith("SHARD_INVALID", what));
  const place = `${what}: ${formatParty(header.party)}, ${shardName(header.shard)}`;
  checkExpected(header, expected, refuseWith("SHARD_MISMATCH", place));
  const refuse = refuseWith("SHARD_INVALID", place);
  const taken = takeTensors(tensors, DTYPES, refuse);
  const arrays = Object.fromEntries(Object.entries(taken).map(([name, { data }]) => [name, data]));
  const knowledge = arrays as unknown as Knowledge;
  checkShapes(taken, shapesOf(knowledge), refuse);
  checkKnowledge(knowledge, header, refuse);
  checkClaimedLoss(knowledge, refuseWith("SHARD_LIE", place));
  return { header, knowledge };
}

/** A party as errors name it. */
export function formatParty(party: string): string {
  return party === "server" ? party : `client ${party}`;
}

function shapesOf({ lossNats, tokenIds, positions: { length: positions }, topIds: { length: entries } }: Knowledge) {
  const samples = lossNats.length;
  const tokens = tokenIds.length;
  return {
    sampleIds: [samples, SAMPLE_ID_BYTES],
    lossNats: [samples],
    answerBytes: [samples],
    answerPositions: [samples],
    tokenOffsets: [samples + 1],
    tokenIds: [tokens],
    tokenEnds: [tokens],
    positionOffsets: [samples + 1],
    positions: [positions],
    entryOffsets: [positions + 1],
    topIds: [entries],
    topLogProbs: [entries],
    tailMass: [positions],
  } satisfies Record<keyof typeof DTYPES, number[]>;
}

function parseHeader(metadata: Record<string, string>, refuse: Refuse): ShardHeader {
  const taken = takeMetadata(metadata, { ...FORMAT, keys: KEYS }, refuse);
  const vocabularySize = parseCount(taken.vocabularySize, "vocabularySize", { least: 1, most: MAX_VOCABULARY }, refuse);
  return {
    run: parseIdentifier(taken.run, "run", refuse),
    round: parseCount(taken.round, "round", { least: 0, most: 1_000_000 }, refuse),
    party: parseIdentifier(taken.party, "party", refuse),
    shard: parseCount(taken.shard, "shard", { least: 0, most: 99_999_999 }, refuse),
    modelHash: parseHash(taken.modelHash, "modelHash", refuse),
    tokenizerHash: parseHash(taken.tokenizerHash, "tokenizerHash", refuse),
    datasetHash: parseHash(taken.datasetHash, "datasetHash", refuse),
    vocabularySize,
    topK: parseCount(taken.topK, "topK", { least: 1, most: vocabularySize }, refuse),
    topP: parseShare(taken.topP, "topP", refuse),
  };
}
