import { createHash } from "node:crypto";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import { readAlignedShard, writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { readPairedLosses, writePairedLosses } from "../../../shared/src/formats/paired-losses.ts";
import { adapterConfig, parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import { readVocabularyMap, writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { readVocabularyMapJson, writeVocabularyMapJson } from "../../../shared/src/formats/vocabulary-map-json.ts";
import { parseWeightIndex } from "../../../shared/src/formats/weight-index.ts";
import { alignedHeader, makeAligned, makeMap, mapHeader } from "../aligned.ts";
import { makeKnowledge, shardHeader } from "../knowledge.ts";
import type { Framing } from "./changes.ts";
import {
  checkAdapterHolds,
  checkAlignedHolds,
  checkIndexHolds,
  checkKnowledgeHolds,
  checkLossesHold,
  checkMapHolds,
  checkPlainMapHolds,
  checkTensorsHold,
  checkTrainingHolds,
} from "./invariants.ts";
import { layOut, splitSafetensors } from "./parts.ts";

/** A format as it is fuzzed. */
export interface FuzzedFormat {
  name: string;
  framing: Framing;
  /** sound files, which are changed */
  examples: readonly Uint8Array[];
  /** codes with which its reader may refuse */
  codes: RegExp;
  /** bytes that its reader may allocate in arrays beyond the common limit */
  mayAllocate?: number;
  /** makes what a changed file says of its own bytes right again, so that the decoder behind it is reached */
  reseal?(file: Uint8Array): Uint8Array;
  /** Reads as the product does. @returns the naive check of what was read */
  read(bytes: Uint8Array, what: string): () => void;
}

const NUMBERS = [0.3, 2.1, -0.7, 1.9, 0.1, -1.3, 0.8];
const KNOWLEDGE = [
  { knowledge: makeKnowledge([4, 3], NUMBERS), header: shardHeader },
  {
    knowledge: makeKnowledge([2, 6, 3], NUMBERS, { vocabularySize: 16, topK: 1 }),
    header: { ...shardHeader, topK: 1 },
  },
  {
    knowledge: withPrompt(makeKnowledge([6], NUMBERS, { vocabularySize: 16, topK: 16 }), 2),
    header: { ...shardHeader, topK: 16 },
  },
];
const SAFETENSORS = "SAFETENSORS_(INVALID|TRUNCATED)";

const LAYER = "base_model.model.model.layers.0.self_attn";
const LORA = { rank: 2, alpha: 4, dropout: 0, targets: ["q_proj", "v_proj"] };
const CONFIG = adapterConfig({ baseModel: "b", lora: LORA });

function adapterWeights(): Uint8Array {
  const half = (shape: [number, number]): Tensor => ({
    dtype: "F32",
    shape,
    data: new Float32Array(shape[0] * shape[1]).fill(0.5),
  });
  return writeSafetensors(
    Object.fromEntries(
      LORA.targets.flatMap((target) => [
        [`${LAYER}.${target}.lora_A.weight`, half([2, 3])],
        [`${LAYER}.${target}.lora_B.weight`, half([4, 2])],
      ]),
    ),
  );
}

/** Knowledge of 64 MiB may lie in a few bytes; besides, a decoder has models of each token of the vocabulary, at most a million. */
const PACKED_ALLOCATION = 128 * 2 ** 20;
/** Half a nat to the next rung, half a nat of shift, and what rounding the tail does. */
const PACKED_NATS = 1.1;
const DEEPEST_RUNG_NATS = -127;

/** The hash, by docs/shards.md: of all other metadata, sorted, and of the packed bytes. */
function resealPacked(file: Uint8Array): Uint8Array {
  const parts = splitSafetensors(file);
  if (parts === null || !Object.values(parts.metadata).every((text) => typeof text === "string")) return file;
  const { packedHash: _, ...metadata } = parts.metadata;
  const hash = createHash("sha256");
  for (const key of Object.keys(metadata).sort()) hash.update(`${key}=${metadata[key]}\n`);
  hash.update(parts.tensors[0]?.data ?? new Uint8Array());
  return layOut(parts.tensors, { ...metadata, packedHash: hash.digest("hex") });
}

/** One sample whose first positions are its prompt's, and left out; every token is kept, so the answer's loss is known. */
function withPrompt(knowledge: Knowledge, prompt: number): Knowledge {
  const { positions, topIds, topLogProbs, tailMass, tokenIds } = knowledge;
  const answers = positions.length - prompt;
  const kept = topIds.length / positions.length;
  const entries = {
    topIds: topIds.slice(prompt * kept),
    topLogProbs: topLogProbs.slice(prompt * kept),
  };
  const losses = Array.from({ length: answers }, (_, at) => {
    const ids = entries.topIds.subarray(at * kept, (at + 1) * kept);
    return -entries.topLogProbs[at * kept + ids.indexOf(tokenIds[prompt + at + 1])];
  });
  return {
    ...knowledge,
    ...entries,
    lossNats: Float64Array.of(losses.reduce((sum, loss) => sum + loss, 0)),
    answerBytes: Int32Array.of(answers),
    answerPositions: Int32Array.of(answers),
    positionOffsets: Int32Array.of(0, answers),
    positions: positions.slice(prompt),
    entryOffsets: Int32Array.from({ length: answers + 1 }, (_, at) => at * kept),
    tailMass: tailMass.slice(prompt),
  };
}

const WEIGHT_INDEX = {
  metadata: { total_size: 12 },
  weight_map: { "a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors" },
};

/** Every binary or structured format that a party may be handed by another, or by whoever made its model. */
export const FUZZED_FORMATS: readonly FuzzedFormat[] = [
  {
    name: "safetensors",
    framing: "safetensors",
    examples: [
      writeSafetensors(
        {
          a: { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
          b: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
          c: { dtype: "BF16", shape: [0, 4], data: new Uint16Array(0) },
          d: { dtype: "I64", shape: [], data: BigInt64Array.of(-1n) },
        },
        { format: "pt" },
      ),
      writeSafetensors({}),
    ],
    codes: new RegExp(`^${SAFETENSORS}$`),
    read(bytes, what) {
      const { tensors } = readSafetensors(bytes, what);
      return () => checkTensorsHold(bytes, tensors);
    },
  },
  {
    name: "plain knowledge shard",
    framing: "safetensors",
    examples: KNOWLEDGE.map(({ knowledge, header }) => writeKnowledgeShard(knowledge, header)),
    codes: new RegExp(`^(SHARD_(INVALID|LIE)|${SAFETENSORS})$`),
    read(bytes, what) {
      const { header, knowledge } = readKnowledgeShard(bytes, what, {});
      return () => checkKnowledgeHolds(knowledge, header, 0);
    },
  },
  {
    name: "packed knowledge shard",
    framing: "safetensors",
    examples: KNOWLEDGE.map(({ knowledge, header }) => writeKnowledgeShard(knowledge, header, "packed")),
    codes: new RegExp(`^(SHARD_(INVALID|LIE)|${SAFETENSORS})$`),
    mayAllocate: PACKED_ALLOCATION,
    reseal: resealPacked,
    read(bytes, what) {
      const { header, knowledge } = readKnowledgeShard(bytes, what, {});
      const deep = knowledge.topLogProbs.some((log) => log < DEEPEST_RUNG_NATS);
      return () => checkKnowledgeHolds(knowledge, header, deep ? Infinity : PACKED_NATS);
    },
  },
  {
    name: "aligned shard",
    framing: "safetensors",
    examples: [writeAlignedShard(makeAligned(), alignedHeader)],
    codes: new RegExp(`^(ALIGNED_INVALID|${SAFETENSORS})$`),
    read(bytes, what) {
      const { aligned } = readAlignedShard(bytes, what, {});
      return () => checkAlignedHolds(aligned);
    },
  },
  {
    name: "vocabulary map",
    framing: "safetensors",
    examples: [writeVocabularyMap(makeMap(), mapHeader)],
    codes: new RegExp(`^(MAP_INVALID|${SAFETENSORS})$`),
    read(bytes, what) {
      const map = readVocabularyMap(bytes, what, {});
      return () => checkMapHolds(map);
    },
  },
  {
    name: "vocabulary map in JSON",
    framing: "json",
    examples: [writeVocabularyMapJson({ ...makeMap(), source: "a.json", target: "b.json" })],
    codes: /^MAP_INVALID$/,
    read(bytes, what) {
      const map = readVocabularyMapJson(bytes, what);
      return () => checkPlainMapHolds(map);
    },
  },
  {
    name: "paired losses",
    framing: "safetensors",
    examples: [
      writePairedLosses(KNOWLEDGE[0].knowledge, KNOWLEDGE[0].knowledge),
      writePairedLosses(KNOWLEDGE[0].knowledge, KNOWLEDGE[0].knowledge, {
        nats: KNOWLEDGE[0].knowledge.lossNats,
        positions: KNOWLEDGE[0].knowledge.answerPositions,
      }),
    ],
    codes: new RegExp(`^(LOSSES_INVALID|${SAFETENSORS})$`),
    read(bytes, what) {
      const losses = readPairedLosses(bytes, what);
      return () => checkLossesHold(losses);
    },
  },
  {
    name: "training state",
    framing: "safetensors",
    examples: [
      writeTrainingState({
        belongsTo: "5".repeat(64),
        step: 3,
        values: Float32Array.of(0.5, -1, 2),
        mean: Float32Array.of(0.1, 0.2, 0.3),
        variance: Float32Array.of(0.1, 0.2, 0.3),
        lossByEpoch: [2.5],
        epoch: { weightedLoss: 7.5, answers: 3 },
        note: "round 1",
      }),
    ],
    codes: /^CHECKPOINT_INVALID$/,
    read(bytes, what) {
      const state = readTrainingState(bytes, what);
      return () => checkTrainingHolds(state);
    },
  },
  {
    name: "adapter's weights",
    framing: "safetensors",
    examples: [adapterWeights()],
    codes: new RegExp(`^(ADAPTER_INVALID|${SAFETENSORS})$`),
    read(bytes, what) {
      const adapter = parsePeftAdapter(CONFIG, bytes, what);
      return () => checkAdapterHolds(adapter);
    },
  },
  {
    name: "adapter's settings",
    framing: "json",
    examples: [CONFIG],
    codes: /^ADAPTER_INVALID$/,
    read(bytes, what) {
      const adapter = parsePeftAdapter(bytes, adapterWeights(), what);
      return () => checkAdapterHolds(adapter);
    },
  },
  {
    name: "weight index",
    framing: "json",
    examples: [new TextEncoder().encode(JSON.stringify(WEIGHT_INDEX))],
    codes: /^MODEL_WEIGHTS_INVALID$/,
    read(bytes, what) {
      const files = parseWeightIndex(bytes, what);
      return () => checkIndexHolds(files);
    },
  },
];
