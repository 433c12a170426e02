import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { identifySample, type Sample } from "../../../shared/src/core/samples/sample.ts";
import { parseDataset } from "../../../shared/src/formats/dataset.ts";
import { writeJsonLines } from "../../../shared/src/formats/jsonl.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { hashSample, readSamples, writeSamples } from "../../../shared/src/formats/samples.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";

const ARRAYS = {
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  I32: Int32Array,
  BF16: Uint16Array,
  F16: Uint16Array,
  U16: Uint16Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

const tensor = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[])),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    fill: fc.nat(255),
  })
  .map(({ dtype, shape, fill }) => {
    const elements = shape.reduce((product, size) => product * size, 1);
    const bytes = new Uint8Array(elements * ARRAYS[dtype].BYTES_PER_ELEMENT).map((_, index) => fill + index * 37);
    return { dtype, shape, data: new ARRAYS[dtype](bytes.buffer) } as Tensor;
  });
const names = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "toString", "0", ""),
);
const text = fc.string({ unit: "binary", maxLength: 20 });
const knowledge = fc
  .record({
    tokensOfSample: fc.array(fc.integer({ min: 2, max: 6 }), { maxLength: 4 }),
    numbers: fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 40 }),
    topK: fc.integer({ min: 1, max: 16 }),
  })
  .map(({ tokensOfSample, numbers, topK }) => makeKnowledge(tokensOfSample, numbers, { vocabularySize: 16, topK }));

describe("what is written is read back", () => {
  it("as tensors, by whatever names, and equal tensors are equal bytes", () => {
    fc.assert(
      fc.property(
        fc.dictionary(names, tensor, { maxKeys: 6 }),
        fc.dictionary(names, text, { maxKeys: 4 }),
        fc.nat(7),
        (tensors, metadata, shift) => {
          const file = writeSafetensors(tensors, metadata);
          const place = new Uint8Array(file.length + shift).subarray(shift);
          place.set(file);
          const read = readSafetensors(place, "file");
          expect(read.tensors).toEqual(new Map(Object.entries(tensors)));
          expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
          expect(writeSafetensors(Object.fromEntries(read.tensors), read.metadata)).toEqual(file);
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  it("as knowledge", () => {
    fc.assert(
      fc.property(knowledge, (written) => {
        const header = { ...shardHeader, topK: 16 };
        const file = writeKnowledgeShard(written, header);
        expect(readKnowledgeShard(file, "shard", header)).toEqual({ header, encoding: "plain", knowledge: written });
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it("as samples, in bytes that do not vary", () => {
    const texts = fc.array(text.filter((one) => one !== ""));
    const sample = fc
      .record({
        prompt: text,
        answer: text.filter((answer) => answer !== ""),
        kind: fc.constantFrom("text", "completion"),
        line: fc.integer({ min: 1 }),
        others: fc.record({ marks: texts, references: texts }, { requiredKeys: [] }),
      })
      .map(({ prompt, answer, kind, line, others }) => {
        const read = kind === "text" ? "" : prompt;
        const id = identifySample(kind, read, answer, hashSample);
        return { id, prompt: read, answer, kind, line, ...others } as Sample;
      });
    fc.assert(
      fc.property(fc.uniqueArray(sample, { selector: ({ id }) => id.join() }), (samples) => {
        const file = writeSamples(samples);
        expect(readSamples(file, "set")).toEqual(samples);
        expect(writeSamples(readSamples(file, "set"))).toEqual(file);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it("as data sets", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ prompt: text, completion: text.filter((answer) => answer !== "") })),
        (records) => {
          expect(parseDataset(writeJsonLines(records), "a.jsonl")).toEqual(
            records.map((record, index) => ({ kind: "completion", line: index + 1, ...record })),
          );
        },
      ),
      { numRuns: 300, seed: 4 },
    );
  });
});
