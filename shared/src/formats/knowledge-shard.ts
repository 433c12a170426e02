import { shardName } from "../contracts/keys.ts";
import type { Knowledge } from "../core/knowledge.ts";
import { MAX_VOCABULARY } from "../core/model-limits.ts";
import { SAMPLE_ID_BYTES } from "../core/samples/sample.ts";
import { checkClaimedLoss, type Rounding } from "./claimed-loss.ts";
import { checkKnowledge } from "./knowledge-checks.ts";
import {
  checkExpected,
  checkShapes,
  MAX_OWN_HEADER_BYTES,
  parseCount,
  parseHash,
  parseIdentifier,
  parsePositive,
  parseShare,
  type Refuse,
  refuseWith,
  takeMetadata,
  takeTensors,
} from "./named-tensors.ts";
import { packKnowledge, plainBytes, unpackKnowledge } from "./packed/packed-knowledge.ts";
import { isDeepest, ladderTolerance, TAIL_TOLERANCE } from "./packed/probability-ladder.ts";
import { quote } from "./quote.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";

/** Longest shard, and the longest knowledge that a packed one holds: a Lambda function reads it whole, with room for what it makes of it. */
export const MAX_SHARD_BYTES = 64 * 1024 * 1024;

/** How a shard holds its knowledge: as one tensor for each field, or entropy-coded in a single one. docs/shards.md */
export const SHARD_ENCODINGS = ["packed", "plain"] as const;
export type ShardEncoding = (typeof SHARD_ENCODINGS)[number];

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
  /** at most so many times exp(entropy) entries are kept at a position; absent: that ends none */
  topPerplexity?: number;
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

/** In the metadata only where it was given, so that shards without it stay the bytes they were. */
const PERPLEXITY = "topPerplexity";

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

/** A packed shard's only tensor; its metadata hold a hash of it and of all other metadata. */
const PACKED = "packed";
const HASH = "packedHash";

/**
 * Knowledge as a shard: a safetensors file. Equal knowledge gives equal bytes. Checked as a reader would, so that a model that
 * broke says so at home.
 *
 * @throws InvalidInputError `SHARD_INVALID`, `SHARD_LIE`, `SHARD_TOO_LARGE`
 */
export function writeKnowledgeShard(
  knowledge: Knowledge,
  header: ShardHeader,
  encoding: ShardEncoding = "plain",
): Uint8Array {
  const metadata = {
    ...FORMAT,
    encoding,
    ...Object.fromEntries(KEYS.map((key) => [key, String(header[key])])),
    ...(header[PERPLEXITY] !== undefined && { [PERPLEXITY]: String(header[PERPLEXITY]) }),
  };
  const bytes =
    encoding === "plain" ? writePlain(knowledge, metadata) : writePacked(knowledge, metadata, header, "writing");
  readKnowledgeShard(bytes, "writing", {});
  return bytes;
}

function writePlain(knowledge: Knowledge, metadata: Record<string, string>): Uint8Array {
  const shapes = shapesOf(knowledge);
  const tensors = Object.fromEntries(
    Object.entries(DTYPES).map(([name, dtype]) => {
      const field = name as keyof typeof DTYPES;
      return [field, { dtype, shape: shapes[field], data: knowledge[field] }];
    }),
  ) as Record<string, Tensor>;
  return writeSafetensors(tensors, metadata);
}

function writePacked(
  knowledge: Knowledge,
  metadata: Record<string, string>,
  header: ShardHeader,
  what: string,
): Uint8Array {
  const { lossNats, tokenIds, positions, topIds } = knowledge;
  const bytes = plainBytes(lossNats.length, tokenIds.length, positions.length, topIds.length);
  if (bytes > MAX_SHARD_BYTES)
    throw refuseWith(
      "SHARD_TOO_LARGE",
      what,
    )(`expected knowledge of at most ${MAX_SHARD_BYTES} bytes when unpacked, got ${bytes}`);
  const place = `${what}: ${formatParty(header.party)}, ${shardName(header.shard)}`;
  // what a coder cannot hold, such as a NaN, would come back as something else
  const refuse = refuseWith("SHARD_INVALID", place);
  checkKnowledge(knowledge, header, refuse);
  const payload = packKnowledge(knowledge, header.vocabularySize, refuse);
  return writeSafetensors(
    { [PACKED]: { dtype: "U8", shape: [payload.length], data: payload } },
    { ...metadata, [HASH]: hashPacked(metadata, payload) },
  );
}

/** Of all other metadata, a line `key=value` each in the keys' order, and the payload after them. */
function hashPacked(metadata: Record<string, string>, payload: Uint8Array): string {
  const lines = Object.keys(metadata)
    .filter((key) => key !== HASH)
    .sort()
    .map((key) => `${key}=${metadata[key]}\n`);
  return sha256(Buffer.concat([Buffer.from(lines.join("")), payload]));
}

/**
 * Reads a shard of either encoding and believes nothing: form, header, order, ranges, sums, and that its claimed losses fit its
 * top-K, as nearly as the encoding keeps it.
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
): { header: ShardHeader; encoding: ShardEncoding; knowledge: Knowledge } {
  if (bytes.length > MAX_SHARD_BYTES)
    throw refuseWith(
      "SHARD_TOO_LARGE",
      what,
    )(`expected a shard of at most ${MAX_SHARD_BYTES} bytes, got ${bytes.length}`);
  const { tensors, metadata } = readSafetensors(bytes, what, MAX_OWN_HEADER_BYTES);
  const { header, encoding } = parseHeader(metadata, refuseWith("SHARD_INVALID", what));
  const place = `${what}: ${formatParty(header.party)}, ${shardName(header.shard)}`;
  checkExpected(header, expected, refuseWith("SHARD_MISMATCH", place));
  const refuse = refuseWith("SHARD_INVALID", place);
  const { knowledge, rounding } =
    encoding === "plain" ? takePlain(tensors, refuse) : takePacked(tensors, metadata, header, refuse);
  checkKnowledge(knowledge, header, refuse);
  checkClaimedLoss(knowledge, refuseWith("SHARD_LIE", place), rounding);
  return { header, encoding, knowledge };
}

function takePlain(tensors: Map<string, Tensor>, refuse: Refuse): { knowledge: Knowledge; rounding?: Rounding } {
  const taken = takeTensors(tensors, DTYPES, refuse);
  const arrays = Object.fromEntries(Object.entries(taken).map(([name, { data }]) => [name, data]));
  const knowledge = arrays as unknown as Knowledge;
  checkShapes(taken, shapesOf(knowledge), refuse);
  return { knowledge };
}

function takePacked(
  tensors: Map<string, Tensor>,
  metadata: Record<string, string>,
  header: ShardHeader,
  refuse: Refuse,
): { knowledge: Knowledge; rounding: Rounding } {
  const { packed } = takeTensors(tensors, { [PACKED]: "U8" } as const, refuse);
  checkShapes({ packed }, { packed: [packed.data.length] }, refuse);
  const hash = hashPacked(metadata, packed.data);
  if (hash !== metadata[HASH])
    throw refuse(`expected bytes and metadata with the hash ${quote(metadata[HASH])}, got ${hash}: they were changed`);
  const { knowledge, shifts } = unpackKnowledge(packed.data, { ...header, mostBytes: MAX_SHARD_BYTES }, refuse);
  const { entryOffsets, topLogProbs, tailMass } = knowledge;
  const rounding: Rounding = {
    entryTolerance: (position, logProbability) => {
      const logProbs = topLogProbs.subarray(entryOffsets[position], entryOffsets[position + 1]);
      return ladderTolerance(logProbability, logProbs, shifts[position], tailMass[position]);
    },
    isAtMost: (position, logProbability) => isDeepest(logProbability, shifts[position]),
    tailTolerance: TAIL_TOLERANCE,
  };
  return { knowledge, rounding };
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

function parseHeader(
  metadata: Record<string, string>,
  refuse: Refuse,
): { header: ShardHeader; encoding: ShardEncoding } {
  const isPacked = Object.hasOwn(metadata, HASH);
  const hasPerplexity = Object.hasOwn(metadata, PERPLEXITY);
  const keys = [...KEYS, "encoding", ...(isPacked ? [HASH] : []), ...(hasPerplexity ? [PERPLEXITY] : [])] as const;
  const taken = takeMetadata(metadata, { ...FORMAT, keys }, refuse);
  const encoding = isPacked ? "packed" : "plain";
  if (taken.encoding !== encoding)
    throw refuse(
      `expected the encoding ${encoding}, as there is ${isPacked ? "a" : "no"} ${HASH}, got ${quote(taken.encoding)}`,
    );
  const vocabularySize = parseCount(taken.vocabularySize, "vocabularySize", { least: 1, most: MAX_VOCABULARY }, refuse);
  const header = {
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
    ...(hasPerplexity && { [PERPLEXITY]: parsePositive(taken[PERPLEXITY], PERPLEXITY, refuse) }),
  };
  return { header, encoding };
}
