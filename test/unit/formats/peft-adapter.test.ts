import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import {
  adaptedLayers,
  adapterConfig,
  adapterReadme,
  parsePeftAdapter,
} from "../../../shared/src/formats/peft-adapter.ts";
import { type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";

const about = {
  baseModel: "stories260k",
  lora: { rank: 2, alpha: 4, dropout: 0.1, targets: ["v_proj", "q_proj"] },
  run: "quickstart",
  party: "harbour",
  rounds: 2,
};
const name = (layer: string, side: "A" | "B") =>
  `base_model.model.model.layers.0.self_attn.${layer}.lora_${side}.weight`;
const matrix = (...shape: [number, number]): Tensor => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape[0] * shape[1]),
});
const tensors = (): Record<string, Tensor> => ({
  [name("q_proj", "A")]: matrix(2, 3),
  [name("q_proj", "B")]: matrix(5, 2),
  [name("v_proj", "A")]: matrix(2, 3),
  [name("v_proj", "B")]: matrix(5, 2),
});
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("an adapter folder", () => {
  it("is read back as it was written", () => {
    const { layers, ...rest } = parsePeftAdapter(adapterConfig(about), writeSafetensors(tensors()), "adapter");
    expect(rest).toEqual({ baseModel: "stories260k", rank: 2, alpha: 4, targets: ["q_proj", "v_proj"] });
    expect([...layers.keys()].sort()).toEqual(["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"]);
    expect(layers.get("model.layers.0.self_attn.q_proj")!.up.shape).toEqual([5, 2]);
  });

  it("lists its target modules sorted, and the dropout that it was trained with", () => {
    expect(JSON.parse(decode(adapterConfig(about)))).toMatchObject({
      target_modules: ["q_proj", "v_proj"],
      lora_dropout: 0.1,
    });
  });

  it("says for GPT-2's layers, whose weights lie the other way, what PEFT says", () => {
    const ofGpt2 = { ...about, lora: { ...about.lora, targets: ["c_attn"] } };
    expect(JSON.parse(decode(adapterConfig(ofGpt2)))).toMatchObject({ fan_in_fan_out: true });
    expect(JSON.parse(decode(adapterConfig(about)))).toMatchObject({ fan_in_fan_out: false });
  });

  it.each([
    ["all-linear", ["q_proj", "v_proj"]],
    [
      ["model.layers.0.self_attn.v_proj", "q_proj"],
      ["model.layers.0.self_attn.v_proj", "q_proj"],
    ],
    [
      ["self_attn.q_proj", "self_attn.v_proj"],
      ["self_attn.q_proj", "self_attn.v_proj"],
    ],
  ])("is understood where its target modules are %j, as PEFT means them", (targets, expected) => {
    const config = { ...JSON.parse(decode(adapterConfig(about))), target_modules: targets };
    const bytes = new TextEncoder().encode(JSON.stringify(config));
    const parsed = parsePeftAdapter(bytes, writeSafetensors(tensors()), "adapter");
    expect(parsed.targets).toEqual(expected);
    expect(parsed.layers.size).toBe(2);
  });

  it("has its adapted layers named by its weights", () => {
    expect(adaptedLayers(writeSafetensors(tensors()), "adapter")).toEqual(["q_proj", "v_proj"]);
  });

  it("names both layers of GPT-2 that end alike by their end, and one of them by more", () => {
    const adapted = (...layers: string[]) =>
      adaptedLayers(
        writeSafetensors(
          Object.fromEntries(
            layers.map((layer) => [`base_model.model.transformer.h.0.${layer}.lora_A.weight`, matrix(2, 3)]),
          ),
        ),
        "adapter",
      );
    expect(adapted("attn.c_attn", "attn.c_proj", "mlp.c_proj")).toEqual(["c_attn", "c_proj"]);
    expect(adapted("attn.c_attn", "mlp.c_proj")).toEqual(["c_attn", "mlp.c_proj"]);
  });

  it("has a card that names base model, party, run, licence and how to load it", () => {
    const card = decode(adapterReadme(about));
    expect(card).toMatch(/^---\nbase_model: "stories260k"\nlibrary_name: peft\n/);
    for (const part of ["client `harbour`", "run `quickstart`", "2 rounds", "Licence: ", "PeftModel.from_pretrained"])
      expect(card).toContain(part);
    expect(decode(adapterReadme({ ...about, party: "server", rounds: 1 }))).toContain(
      "the server from run `quickstart`",
    );
  });

  it("keeps a base model's name from breaking out of the card", () => {
    const card = decode(adapterReadme({ ...about, baseModel: 'a"\n---\nlicense: mit' }));
    expect(card).not.toContain("\nlicense: mit");
  });

  it.each<[string, object, string]>([
    ["another method", { peft_type: "IA3" }, 'peft_type: expected "LORA", got "IA3"'],
    ["another task", { task_type: "SEQ_CLS" }, 'task_type: expected "CAUSAL_LM"'],
    ["a bias", { bias: "all" }, 'bias: expected "none", got "all"'],
    ["DoRA", { use_dora: true }, "use_dora: expected false, got true"],
    ["ranks by pattern", { rank_pattern: { q_proj: 4 } }, "rank_pattern: expected {}"],
    ["whole modules", { modules_to_save: ["lm_head"] }, "modules_to_save: expected null"],
    ["rank 0", { r: 0 }, "r: expected a whole number from 1 to 65536, got 0"],
    ["no alpha", { lora_alpha: "16" }, 'lora_alpha: expected a number above 0, got "16"'],
    ["no targets", { target_modules: [] }, "target_modules: expected names of layers, got []"],
    ["no base model", { base_model_name_or_path: null }, "base_model_name_or_path: expected a name, got null"],
    [
      "another rank than its weights",
      { r: 3 },
      'adapter_model.safetensors: tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": expected shape [3, in], got [2,3]',
    ],
    [
      "a target without weights",
      { target_modules: ["q_proj", "v_proj", "o_proj"] },
      'expected weights for "o_proj", which adapter_config.json targets, got none',
    ],
    [
      "a target less than weights",
      { target_modules: ["q_proj"] },
      'expected base_model.model.<layer>.lora_A.weight or lora_B of ["q_proj"]',
    ],
    [
      "a target that is no text",
      { target_modules: [{ toString: 0 }] },
      'expected names of layers, got [{"toString":0}]',
    ],
  ])("with %s is refused", (_, change, message) => {
    const config = new TextEncoder().encode(JSON.stringify({ ...JSON.parse(decode(adapterConfig(about))), ...change }));
    const parse = () => parsePeftAdapter(config, writeSafetensors(tensors()), "adapter");
    expect(parse).toThrow(InvalidInputError);
    expect(parse).toThrow(/^adapter\/adapter_(config\.json|model\.safetensors): /);
    expect(parse).toThrow(message);
  });

  it("is found by a layer's last name, by more of its end, and by all of it", () => {
    for (const target of ["q_proj", "self_attn.q_proj", "model.layers.0.self_attn.q_proj"]) {
      const config = JSON.parse(decode(adapterConfig(about)));
      config.target_modules = [target, "v_proj"];
      const json = new TextEncoder().encode(JSON.stringify(config));
      expect(parsePeftAdapter(json, writeSafetensors(tensors()), "adapter").targets).toEqual([target, "v_proj"].sort());
    }
  });

  it.each([
    ["nested without end", "[".repeat(50_000) + "]".repeat(50_000), "nested deeper than 8"],
    ["of values without number", `[${new Array(100_001).fill(0)}]`, "holds more than 100000 values"],
    ["that says something twice", '0,"r":2,"r":3', 'the key "r" occurs twice'],
  ])("with settings %s is refused", (_, value, message) => {
    const config = new TextEncoder().encode(decode(adapterConfig(about)).replace('"LORA"', value));
    expect(() => parsePeftAdapter(config, writeSafetensors(tensors()), "adapter")).toThrow(message);
  });

  it("with an alpha that no float holds is refused", () => {
    const config = decode(adapterConfig(about)).replace('"lora_alpha": 4', '"lora_alpha": 1e999');
    expect(config).toContain("1e999");
    expect(() => parsePeftAdapter(new TextEncoder().encode(config), writeSafetensors(tensors()), "adapter")).toThrow(
      "lora_alpha: expected a number above 0",
    );
  });

  it.each<[string, Record<string, Tensor | undefined>, string]>([
    [
      "a matrix without its other half",
      { [name("q_proj", "B")]: undefined },
      'layer "model.layers.0.self_attn.q_proj": expected lora_A and lora_B, got only lora_A',
    ],
    [
      "a weight that is NaN",
      { [name("q_proj", "A")]: { dtype: "F32", shape: [2, 3], data: new Float32Array(6).fill(Number.NaN, 4) } },
      "expected finite weights, got NaN at 4",
    ],
    [
      "a half-precision weight that is infinite",
      { [name("q_proj", "A")]: { dtype: "F16", shape: [2, 1], data: Uint16Array.of(0x3c00, 0x7c00) } },
      "expected finite weights, got another at 1",
    ],
    [
      "integers",
      { [name("q_proj", "A")]: { dtype: "I32", shape: [2, 3], data: new Int32Array(6) } },
      "expected F32, F16 or BF16, got I32",
    ],
    ["a tensor of its own", { other: matrix(1, 1) }, 'tensor "other": expected base_model.model.<layer>.lora_A.weight'],
  ])("with %s is refused", (_, change, message) => {
    const changed = Object.fromEntries(
      Object.entries({ ...tensors(), ...change }).filter(([, tensor]) => tensor),
    ) as Record<string, Tensor>;
    expect(() => parsePeftAdapter(adapterConfig(about), writeSafetensors(changed), "adapter")).toThrow(message);
  });

  it("whose config is not JSON, not an object or endless is refused", () => {
    for (const config of ["{", "[]", `"${"x".repeat(1_100_000)}"`])
      expect(() => parsePeftAdapter(new TextEncoder().encode(config), new Uint8Array(), "adapter")).toThrow(
        /^adapter\/adapter_config\.json: expected/,
      );
  });
});
