import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { readAlignedShard, writeAlignedShard } from "../../../shared/src/formats/aligned-shard.ts";
import { parseDataset } from "../../../shared/src/formats/dataset.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { adapterConfig, parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import {
  measureSafetensorsHeader,
  readSafetensors,
  writeSafetensors,
} from "../../../shared/src/formats/safetensors.ts";
import { readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import { readVocabularyMap, writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { alignedHeader, makeAligned, makeMap, mapHeader } from "../../support/aligned.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";

interface Mutation {
  /** share of the file where it strikes, and what happens there */
  place: number;
  byte: number;
  kind: "set" | "cut" | "insert" | "drop";
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  byte: fc.nat(255),
  kind: fc.constantFrom("set", "set", "set", "set", "cut", "insert", "drop"),
});

/** Half of the cases strike the header, where structure is. */
const mutations = fc.record({ list: fc.array(mutation, { minLength: 1, maxLength: 2 }), header: fc.boolean() });

function mutate(file: Uint8Array, list: readonly Mutation[], within: number): Uint8Array {
  let bytes = [...file];
  for (const { place, byte, kind } of list) {
    const at = Math.floor(place * Math.min(within, bytes.length));
    if (kind === "set") bytes[at] = byte;
    else if (kind === "cut") bytes = bytes.slice(0, at);
    else bytes.splice(at, kind === "drop" ? 1 : 0, ...(kind === "insert" ? [byte] : []));
  }
  return Uint8Array.from(bytes);
}

/** Reads 2,000 spoilt copies of a file: each is refused as bad input, or what is read is good enough to be written again. */
function strike(file: Uint8Array, read: (bytes: Uint8Array) => unknown, numRuns = 2000): { refused: number } {
  const headerBytes = measureSafetensorsHeader(file, file.length, "good");
  let refused = 0;
  read(file);
  fc.assert(
    fc.property(mutations, ({ list, header }) => {
      try {
        read(mutate(file, list, header ? headerBytes : file.length));
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInputError);
        expect((error as Error).message).toMatch(/^(it|writing|it\/adapter_model\.safetensors): /);
        expect((error as Error).message.length).toBeLessThan(1000);
        refused++;
      }
    }),
    { numRuns, seed: 7 },
  );
  return { refused };
}

describe("a file with bytes changed, cut off, put in or taken out", () => {
  it("is refused or harmless as safetensors", () => {
    const file = writeSafetensors(
      {
        a: { dtype: "F32", shape: [2, 2], data: new Float32Array(4) },
        b: { dtype: "U8", shape: [3], data: new Uint8Array(3) },
      },
      { format: "pt" },
    );
    const { refused } = strike(file, (bytes) => {
      const { tensors, metadata } = readSafetensors(bytes, "it");
      let size = 0;
      for (const { data } of tensors.values()) size += data.byteLength;
      expect(size).toBeLessThanOrEqual(bytes.length);
      writeSafetensors(Object.fromEntries(tensors), metadata);
    });
    expect(refused).toBeGreaterThan(1000);
  });

  it("is refused or harmless as a knowledge shard", () => {
    const file = writeKnowledgeShard(makeKnowledge([4, 3], [0.3, 2.1, -0.7, 1.9, 0.1]), shardHeader);
    const { refused } = strike(file, (bytes) => {
      const { header, knowledge } = readKnowledgeShard(bytes, "it", {});
      writeKnowledgeShard(knowledge, header);
    });
    expect(refused).toBeGreaterThan(1000);
  });

  it("is refused or harmless as an aligned shard", () => {
    strike(writeAlignedShard(makeAligned(), alignedHeader), (bytes) => {
      const { header, aligned } = readAlignedShard(bytes, "it", {});
      writeAlignedShard(aligned, header);
    });
  });

  it("is refused or harmless as a vocabulary map", () => {
    strike(writeVocabularyMap(makeMap(), mapHeader), (bytes) => {
      writeVocabularyMap(readVocabularyMap(bytes, "it", {}), mapHeader);
    });
  });

  it("is refused or harmless as an adapter", () => {
    const lora = { rank: 2, alpha: 4, dropout: 0, targets: ["q_proj"] };
    const weights = (side: string, shape: [number, number]) => [
      `base_model.model.model.layers.0.self_attn.q_proj.lora_${side}.weight`,
      { dtype: "F32" as const, shape, data: new Float32Array(shape[0] * shape[1]) },
    ];
    const file = writeSafetensors(Object.fromEntries([weights("A", [2, 3]), weights("B", [4, 2])]));
    strike(file, (bytes) => parsePeftAdapter(adapterConfig({ baseModel: "b", lora }), bytes, "it"), 1000);
  });
});

describe("a training's state with bytes changed, cut off, put in or taken out", () => {
  it("is refused or harmless", () => {
    const state = {
      belongsTo: "5".repeat(64),
      step: 3,
      values: Float32Array.of(0.5, -1, 2),
      mean: Float32Array.of(0.1, 0.2, 0.3),
      variance: Float32Array.of(0.1, 0.2, 0.3),
      lossByEpoch: [2.5],
      epoch: { weightedLoss: 7.5, answers: 3 },
      note: "round 1",
    };
    const { refused } = strike(writeTrainingState(state), (bytes) =>
      writeTrainingState(readTrainingState(bytes, "it")),
    );
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("bytes of any kind", () => {
  it("are a data set, or refused by name", () => {
    const line = fc.oneof(
      fc.json(),
      fc.constantFrom('{"text":"a"}', '{"prompt":"a","completion":"b"}', '{"messages":[]}', '{"text":"a","id":1}', ""),
      fc.string({ unit: "binary" }),
    );
    const content = fc.oneof(
      fc.array(line).map((lines) => new TextEncoder().encode(lines.join("\n"))),
      fc.uint8Array({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        try {
          for (const record of parseDataset(bytes, "it.jsonl")) expect(record.line).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError);
          expect((error as Error).message).toMatch(/^it\.jsonl, line \d+: /);
        }
      }),
      { numRuns: 2000, seed: 8 },
    );
  });
});
