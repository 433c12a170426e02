import { MAX_ALIGNED_BYTES } from "../../../shared/src/formats/aligned-shard.ts";
import { MAX_SHARD_BYTES } from "../../../shared/src/formats/knowledge-shard.ts";
import { parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import { MAX_HEADER_BYTES } from "../../../shared/src/formats/safetensors.ts";
import { FUZZED_FORMATS, type FuzzedFormat } from "./formats.ts";
import { checkAdapterHolds } from "./invariants.ts";
import { joinSafetensors, layOut, splitSafetensors } from "./parts.ts";

/** A file as long as its reader lets one be, made to cost it as much as a file can. */
export interface LargeFile {
  name: string;
  format: FuzzedFormat;
  make(): Uint8Array;
}

const NO_DATA = new Uint8Array();
/** Eight values a tensor and a million in all. */
const TENSORS = 120_000;
const LAYERS = TENSORS / 2;
const ID_BYTES = 16;

function formatOf(name: string): FuzzedFormat {
  return FUZZED_FORMATS.find((format) => format.name === name)!;
}

function joined(count: number, piece: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join();
}

/** A shard's file whose samples are as many as fit and have distinct ids, and nothing else. */
function manySamples(format: string, most: number, bytesOfSample: number): Uint8Array {
  const { tensors, metadata } = splitSafetensors(formatOf(format).examples[0])!;
  const samples = Math.floor((most - 2 ** 16) / bytesOfSample);
  const sized = tensors.map((tensor) => {
    const { name, shape, size } = tensor;
    const [rows, row] = /^(sampleIds|lossNats|answer)/.test(name)
      ? [samples, (shape[1] ?? 1) * size]
      : [/^(token|position)Offsets$/.test(name) ? samples + 1 : name === "entryOffsets" ? 1 : 0, size];
    return { ...tensor, shape: [rows, ...shape.slice(1)], data: new Uint8Array(rows * row) };
  });
  const ids = new DataView(sized.find(({ name }) => name === "sampleIds")!.data.buffer);
  for (let sample = 0; sample < samples; sample++) ids.setUint32(sample * ID_BYTES + 4, sample);
  return layOut(sized, metadata);
}

/** A small packed shard of the largest vocabulary that claims as many positions and entries as fit 64 MiB unpacked. */
function claimMuch(fill: number): Uint8Array {
  const format = formatOf("packed knowledge shard");
  const { tensors, metadata } = splitSafetensors(format.examples[0])!;
  const [packed] = tensors;
  const counts = new DataView(packed.data.buffer, packed.data.byteOffset);
  counts.setUint32(4, 1_000_000, true);
  counts.setUint32(8, 500_000, true);
  counts.setUint32(12, 6_000_000, true);
  const samples = counts.getUint32(0, true);
  packed.data.fill(fill, 16 + samples * 24);
  const size = String(2 ** 20);
  return format.reseal!(layOut(tensors, { ...metadata, vocabularySize: size, topK: size }));
}

const ADAPTER_CONFIG = { peft_type: "LORA", task_type: "CAUSAL_LM", base_model_name_or_path: "b", r: 1, lora_alpha: 1 };

export const LARGE_FILES: readonly LargeFile[] = [
  {
    name: "a header of spaces",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{}${" ".repeat(MAX_HEADER_BYTES - 8)}`, NO_DATA),
  },
  {
    name: "a header of one name",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{"${"n".repeat(MAX_HEADER_BYTES / 2)}":0}`, NO_DATA),
  },
  {
    name: "a header of brackets",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{"a":${"[".repeat(MAX_HEADER_BYTES - 8)}`, NO_DATA),
  },
  {
    name: "a header of quotation marks",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{"a":[${'"\\"'.repeat(MAX_HEADER_BYTES / 8)}`, NO_DATA),
  },
  {
    name: "a header of small values",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{"a":[${"0,".repeat(MAX_HEADER_BYTES / 4)}0]}`, NO_DATA),
  },
  {
    name: "a header of names",
    format: formatOf("safetensors"),
    make: () => joinSafetensors(`{"__metadata__":{${joined(990_000, (index) => `"${index}":""`)}}}`, NO_DATA),
  },
  {
    name: "a header of tensors",
    format: formatOf("safetensors"),
    make: () =>
      joinSafetensors(
        `{${joined(TENSORS, (index) => `"${index}":{"dtype":"U8","shape":[0,1],"data_offsets":[0,0]}`)}}`,
        NO_DATA,
      ),
  },
  {
    name: "a header of dimensions",
    format: formatOf("safetensors"),
    make: () =>
      joinSafetensors(`{"a":{"dtype":"U8","shape":[${"1,".repeat(990_000)}1],"data_offsets":[0,1]}}`, Uint8Array.of(1)),
  },
  {
    name: "a knowledge shard of samples",
    format: formatOf("plain knowledge shard"),
    make: () => manySamples("plain knowledge shard", MAX_SHARD_BYTES, 40),
  },
  ...[0, 255].map((fill) => ({
    name: `a packed shard of bytes ${fill} that claims the most`,
    format: formatOf("packed knowledge shard"),
    make: () => claimMuch(fill),
  })),
  {
    name: "an aligned shard of samples",
    format: formatOf("aligned shard"),
    make: () => manySamples("aligned shard", MAX_ALIGNED_BYTES, 20),
  },
  {
    name: "an adapter of targets and layers",
    format: {
      ...formatOf("adapter's weights"),
      read(bytes, what) {
        const targets = Array.from({ length: LAYERS }, (_, index) => `t${index}`);
        const config = new TextEncoder().encode(JSON.stringify({ ...ADAPTER_CONFIG, target_modules: targets }));
        const adapter = parsePeftAdapter(config, bytes, what);
        return () => checkAdapterHolds(adapter);
      },
    },
    make: () => {
      const half = (index: number, side: string, end: number) =>
        `"base_model.model.m.t${index}.lora_${side}.weight":{"dtype":"BF16","shape":[1,1],"data_offsets":[${end - 2},${end}]}`;
      const pairs = joined(LAYERS, (index) => `${half(index, "A", 4 * index + 2)},${half(index, "B", 4 * index + 4)}`);
      return joinSafetensors(`{${pairs}}`, new Uint8Array(4 * LAYERS));
    },
  },
  {
    name: "a map in JSON of empty lists",
    format: formatOf("vocabulary map in JSON"),
    make: () => new TextEncoder().encode(`{"rule":"product","entries":[${"[],".repeat(2 ** 24)}[]]}`),
  },
  {
    name: "a weight index of tensors",
    format: formatOf("weight index"),
    make: () =>
      new TextEncoder().encode(
        `{"weight_map":{${joined(490_000, (index) => `"${index}":"model-00001-of-00002.safetensors"`)}}}`,
      ),
  },
];
