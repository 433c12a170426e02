import { shardName } from "../contracts/keys.ts";
import type { AlignedKnowledge, AlignmentStatistics } from "../core/knowledge.ts";
import { SAMPLE_ID_BYTES } from "../core/samples/sample.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { MASS_TOLERANCE } from "./knowledge-checks.ts";
import { MAX_SHARD_BYTES } from "./knowledge-shard.ts";
import {
  checkExpected,
  checkOffsets,
  checkSampleIds,
  checkShapes,
  MAX_OWN_HEADER_BYTES,
  parseCount,
  parseHash,
  parseIdentifier,
  type Refuse,
  refuseWith,
  takeMetadata,
  takeTensors,
} from "./named-tensors.ts";
import { quote } from "./quote.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "./safetensors.ts";

/** Longest aligned shard: entries grow where a target's tokens are finer than the source's, but never by this much. */
export const MAX_ALIGNED_BYTES = 2 * MAX_SHARD_BYTES;

/** Whose knowledge, translated for whom. */
export interface AlignedHeader {
  run: string;
  round: number;
  source: string;
  target: string;
  shard: number;
  /** what the entries are: the target's groups or its tokens */
  learn: "group" | "token";
  sourceTokenizerHash: string;
  targetTokenizerHash: string;
  datasetHash: string;
}

const FORMAT = { format: "fedmkt.aligned", version: "1" } as const;
const KEYS = [
  "run",
  "round",
  "source",
  "target",
  "shard",
  "learn",
  "sourceTokenizerHash",
  "targetTokenizerHash",
  "datasetHash",
] as const satisfies (keyof AlignedHeader)[];

const DTYPES = {
  sampleIds: "U8",
  positionOffsets: "I32",
  positions: "I32",
  entryOffsets: "I32",
  entries: "I32",
  probabilities: "F32",
  tail: "F32",
} as const;

const STATISTICS = [
  "targetPositions",
  "alignedPositions",
  "keptMass",
  "exactMass",
  "unmappedMass",
] as const satisfies (keyof AlignmentStatistics)[];

/** An object of numbers. */
const STATISTICS_DEPTH = 1;

/**
 * Aligned knowledge as a safetensors file whose tensors are named as {@link AlignedKnowledge}'s fields; its statistics are
 * JSON in the metadata.
 *
 * @throws InvalidInputError `ALIGNED_INVALID`, `ALIGNED_TOO_LARGE`
 */
export function writeAlignedShard(aligned: AlignedKnowledge, header: AlignedHeader): Uint8Array {
  const shapes = shapesOf(aligned.sampleIds.length / SAMPLE_ID_BYTES, aligned.positions.length, aligned.entries.length);
  const tensors = Object.fromEntries(
    Object.entries(DTYPES).map(([name, dtype]) => {
      const field = name as keyof typeof DTYPES;
      return [field, { dtype, shape: shapes[field], data: aligned[field] } as Tensor];
    }),
  );
  const statistics = JSON.stringify(Object.fromEntries(STATISTICS.map((name) => [name, aligned.statistics[name]])));
  const bytes = writeSafetensors(tensors, {
    ...FORMAT,
    ...Object.fromEntries(KEYS.map((key) => [key, String(header[key])])),
    statistics,
  });
  readAlignedShard(bytes, "writing", {});
  return bytes;
}

/**
 * Reads an aligned shard and checks form, header, order, ranges and sums.
 *
 * @param expected - what the reader asked for; each field given must be equal. entryLimit: entries must be below it (the
 *   target's groups or vocabulary size)
 * @throws InvalidInputError `ALIGNED_TOO_LARGE`, `ALIGNED_MISMATCH`, `ALIGNED_INVALID`; `SAFETENSORS_…`
 */
export function readAlignedShard(
  bytes: Uint8Array,
  what: string,
  { entryLimit = Infinity, ...expected }: Partial<AlignedHeader> & { entryLimit?: number },
): { header: AlignedHeader; aligned: AlignedKnowledge } {
  if (bytes.length > MAX_ALIGNED_BYTES)
    throw refuseWith("ALIGNED_TOO_LARGE", what)(`expected at most ${MAX_ALIGNED_BYTES} bytes, got ${bytes.length}`);
  const { tensors, metadata } = readSafetensors(bytes, what, MAX_OWN_HEADER_BYTES);
  const refuseFile = refuseWith("ALIGNED_INVALID", what);
  const taken = takeMetadata(metadata, { ...FORMAT, keys: [...KEYS, "statistics"] }, refuseFile);
  const header = parseHeader(taken, refuseFile);
  const place = `${what}: ${header.source} for ${header.target}, ${shardName(header.shard)}`;
  checkExpected(header, expected, refuseWith("ALIGNED_MISMATCH", place));
  const refuse = refuseWith("ALIGNED_INVALID", place);
  const arrays = takeTensors(tensors, DTYPES, refuse);
  const shapes = shapesOf(arrays.sampleIds.shape[0] ?? 0, arrays.positions.data.length, arrays.entries.data.length);
  checkShapes(arrays, shapes, refuse);
  const aligned: AlignedKnowledge = {
    sampleIds: arrays.sampleIds.data,
    positionOffsets: arrays.positionOffsets.data,
    positions: arrays.positions.data,
    entryOffsets: arrays.entryOffsets.data,
    entries: arrays.entries.data,
    probabilities: arrays.probabilities.data,
    tail: arrays.tail.data,
    statistics: parseStatistics(taken.statistics, refuse),
  };
  checkAligned(aligned, entryLimit, refuse);
  return { header, aligned };
}

function checkAligned(aligned: AlignedKnowledge, entryLimit: number, refuse: Refuse): void {
  const { sampleIds, positionOffsets, positions, entryOffsets, entries } = aligned;
  checkSampleIds(sampleIds, refuse);
  checkOffsets(positionOffsets, positions.length, "positionOffsets", refuse);
  checkOffsets(entryOffsets, entries.length, "entryOffsets", refuse);
  for (let sample = 0; sample < positionOffsets.length - 1; sample++)
    for (let at = positionOffsets[sample]; at < positionOffsets[sample + 1]; at++) {
      const least = at > positionOffsets[sample] ? positions[at - 1] + 1 : 0;
      if (positions[at] < least)
        throw refuse(
          `sample ${sample}, positions[${at - positionOffsets[sample]}]: expected at least ${least}, got ${positions[at]}`,
        );
      checkEntries(aligned, at, entryLimit, (reason) =>
        refuse(`sample ${sample}, position ${positions[at]}: ${reason}`),
      );
    }
}

function checkEntries(aligned: AlignedKnowledge, at: number, entryLimit: number, refuse: Refuse): void {
  const { entryOffsets, entries, probabilities, tail } = aligned;
  let mass = 0;
  let least = 0;
  for (let entry = entryOffsets[at]; entry < entryOffsets[at + 1]; entry++) {
    if (entries[entry] < least) throw refuse(`expected entries to ascend from ${least}, got ${entries[entry]}`);
    if (entries[entry] >= entryLimit) throw refuse(`expected entries below ${entryLimit}, got ${entries[entry]}`);
    least = entries[entry] + 1;
    const probability = probabilities[entry];
    if (!(probability >= 0 && probability <= 1 + MASS_TOLERANCE))
      throw refuse(`expected a probability from 0 to 1, got ${probability}`);
    mass += probability;
  }
  if (!(tail[at] >= 0 && tail[at] <= 1 + MASS_TOLERANCE)) throw refuse(`expected a tail from 0 to 1, got ${tail[at]}`);
  if (Math.abs(mass + tail[at] - 1) > MASS_TOLERANCE)
    throw refuse(`expected probabilities and tail to sum to 1, got ${mass} + ${tail[at]} = ${mass + tail[at]}`);
}

function shapesOf(samples: number, positions: number, entries: number) {
  return {
    sampleIds: [samples, SAMPLE_ID_BYTES],
    positionOffsets: [samples + 1],
    positions: [positions],
    entryOffsets: [positions + 1],
    entries: [entries],
    probabilities: [entries],
    tail: [positions],
  } satisfies Record<keyof typeof DTYPES, number[]>;
}

function parseHeader(taken: Record<(typeof KEYS)[number], string>, refuse: Refuse): AlignedHeader {
  const { learn } = taken;
  if (learn !== "group" && learn !== "token") throw refuse(`learn: expected group or token, got ${quote(learn)}`);
  return {
    run: parseIdentifier(taken.run, "run", refuse),
    round: parseCount(taken.round, "round", { least: 0, most: 1_000_000 }, refuse),
    source: parseIdentifier(taken.source, "source", refuse),
    target: parseIdentifier(taken.target, "target", refuse),
    shard: parseCount(taken.shard, "shard", { least: 0, most: 99_999_999 }, refuse),
    learn,
    sourceTokenizerHash: parseHash(taken.sourceTokenizerHash, "sourceTokenizerHash", refuse),
    targetTokenizerHash: parseHash(taken.targetTokenizerHash, "targetTokenizerHash", refuse),
    datasetHash: parseHash(taken.datasetHash, "datasetHash", refuse),
  };
}

function parseStatistics(json: string, refuse: Refuse): AlignmentStatistics {
  let parsed: unknown;
  const problem = findJsonKeyProblem(json, STATISTICS_DEPTH, quote);
  if (problem !== null) throw refuse(`statistics: ${problem}`);
  try {
    parsed = JSON.parse(json);
  } catch {
    throw refuse(`statistics: expected JSON, got ${quote(json)}`);
  }
  if (typeof parsed !== "object" || parsed === null || Object.keys(parsed).join() !== STATISTICS.join())
    throw refuse(`statistics: expected ${STATISTICS.join(", ")}, got ${quote(json)}`);
  const statistics = parsed as AlignmentStatistics;
  for (const name of STATISTICS)
    if (!Number.isFinite(statistics[name]) || statistics[name] < 0)
      throw refuse(`statistics: ${name}: expected a number ≥ 0, got ${quote(statistics[name])}`);
  if (statistics.alignedPositions > statistics.targetPositions)
    throw refuse(
      `statistics: expected at most ${statistics.targetPositions} aligned positions, got ${statistics.alignedPositions}`,
    );
  return statistics;
}
