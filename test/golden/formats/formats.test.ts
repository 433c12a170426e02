import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { adapterConfig, parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import {
  measureSafetensorsHeader,
  readSafetensors,
  writeSafetensors,
} from "../../../shared/src/formats/safetensors.ts";

/** Written by scripts/fixtures/formats.py with the libraries whose versions stand in expected.json. */
const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/formats/${name}`, import.meta.url)));
const expected = JSON.parse(new TextDecoder().decode(fixture("expected.json")));

describe("what Python's safetensors wrote", () => {
  const file = fixture("every-dtype.safetensors");

  it("is read here, every dtype bit for bit", () => {
    const { tensors, metadata } = readSafetensors(file, "every-dtype");
    expect({ ...metadata }).toEqual({ format: "pt é\u2028\u0001" });
    expect([...tensors.keys()].sort()).toEqual(Object.keys(expected.tensors).sort());
    for (const [name, tensor] of tensors) {
      const { buffer, byteOffset, byteLength } = tensor.data;
      expect(tensor.shape).toEqual(expected.tensors[name].shape);
      expect([...new Uint8Array(buffer, byteOffset, byteLength)]).toEqual(expected.tensors[name].bytes);
    }
  });

  it("is written here byte for byte the same", () => {
    const { tensors, metadata } = readSafetensors(file, "every-dtype");
    expect(writeSafetensors(Object.fromEntries([...tensors].reverse()), metadata)).toEqual(file);
  });
});

describe("a knowledge shard that Python wrote", () => {
  const file = fixture("knowledge.safetensors");

  it("passes every check and has Python's numbers", () => {
    const { header, knowledge } = readKnowledgeShard(file, "knowledge", { run: "golden", party: "harbour", shard: 3 });
    expect(header).toMatchObject({ round: 1, vocabularySize: 6, topK: 2 });
    for (const [name, values] of Object.entries(expected.knowledge))
      expect([...(knowledge[name as "topIds"] as Int32Array)]).toEqual(values);
  });

  it("is written here with the same data and, but for the order of its metadata, the same header", () => {
    const { header, knowledge } = readKnowledgeShard(file, "knowledge", {});
    const written = writeKnowledgeShard(knowledge, header);
    const split = (bytes: Uint8Array) => {
      const at = measureSafetensorsHeader(bytes, bytes.length, "knowledge");
      return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, at))), data: bytes.subarray(at) };
    };
    expect(split(written)).toEqual(split(file));
    expect(written.length).toBe(file.length);
  });
});

describe("an adapter_config.json that PEFT wrote", () => {
  const theirs = fixture("adapter_config.json");
  const weights = writeSafetensors(
    Object.fromEntries(
      ["q_proj", "k_proj", "v_proj", "o_proj"].flatMap((layer) =>
        (
          [
            ["A", [8, 4]],
            ["B", [6, 8]],
          ] as const
        ).map(([side, shape]) => [
          `base_model.model.model.layers.0.self_attn.${layer}.lora_${side}.weight`,
          { dtype: "F32" as const, shape, data: new Float32Array(shape[0] * shape[1]) },
        ]),
      ),
    ),
  );

  it("is understood", () => {
    const { layers, ...about } = parsePeftAdapter(theirs, weights, "adapter");
    expect(about).toEqual({
      baseModel: "stories260k",
      rank: 8,
      alpha: 16,
      targets: ["k_proj", "o_proj", "q_proj", "v_proj"],
    });
    expect(layers.size).toBe(4);
  });

  it("says the same as ours wherever both have a key", () => {
    const lora = { rank: 8, alpha: 16, dropout: 0, targets: ["q_proj", "k_proj", "v_proj", "o_proj"] };
    const ours = JSON.parse(new TextDecoder().decode(adapterConfig({ baseModel: "stories260k", lora })));
    const parsed = JSON.parse(new TextDecoder().decode(theirs));
    parsed.target_modules.sort();
    expect(parsed).toMatchObject(ours);
    const newer = Object.keys(parsed).filter(
      (key) => !Object.hasOwn(ours, key) && parsed[key] !== null && parsed[key] !== false,
    );
    expect(newer.sort()).toEqual(["peft_version", "qalora_group_size"]);
  });
});
