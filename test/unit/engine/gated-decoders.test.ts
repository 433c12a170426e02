import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { parseArchitecture } from "../../../shared/src/engine/architectures/parse-architecture.ts";
import { TOY_CONFIG } from "./toy-model.ts";

type Fields = Record<string, unknown>;

const parse = (changes: Fields) =>
  parseArchitecture(new TextEncoder().encode(JSON.stringify({ ...TOY_CONFIG, ...changes })), "folder/config.json");

const LLAMA3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
const WINDOWED = { use_sliding_window: true, sliding_window: 4 };

describe("a config.json of a gated decoder is refused", () => {
  const cases: [string, Fields, string][] = [
    [
      "with a vision tower",
      { model_type: "gemma3", vocab_size: undefined, text_config: TOY_CONFIG, vision_config: {} },
      'model_type: expected a model of text alone, got "gemma3", whose text_config is one of its parts',
    ],
    [
      "of a model that it does not know",
      { model_type: "gemma3n_text" },
      "model_type: expected one of llama, mistral, ",
    ],
    ...["dynamic", "yarn", "longrope", "su", 3].map((kind): [string, Fields, string] => [
      `with RoPE stretched by ${kind}`,
      { rope_scaling: { rope_type: kind, factor: 4 } },
      `rope_scaling.rope_type: expected "default", "linear" or "llama3", got ${JSON.stringify(kind)}`,
    ]),
    [
      "with RoPE stretched by an older name's yarn",
      { rope_scaling: { type: "yarn", factor: 4 } },
      'rope_scaling.rope_type: expected "default", "linear" or "llama3", got "yarn"',
    ],
    [
      "with stretched RoPE in the new place",
      { rope_parameters: { rope_type: "yarn", factor: 4 } },
      'rope_parameters.rope_type: expected "default", "linear" or "llama3", got "yarn"',
    ],
    ["with RoPE that is no object", { rope_scaling: 2 }, "rope_scaling: expected an object, got 2"],
    [
      "with positions by kinds of layers that it does not have",
      { rope_parameters: { full_attention: { rope_theta: 10 } } },
      "rope_parameters.full_attention: expected a number or a name, got ",
    ],
    [
      "without a factor",
      { rope_scaling: { type: "linear" } },
      "rope_scaling.factor: expected a number above 0, got nothing",
    ],
    [
      "with a factor of 0",
      { rope_parameters: { rope_type: "linear", factor: 0 } },
      "rope_parameters.factor: expected a number above 0, got 0",
    ],
    [
      "without a low frequency",
      { rope_scaling: { ...LLAMA3, low_freq_factor: null } },
      "rope_scaling.low_freq_factor: expected a number above 0, got null",
    ],
    [
      "with frequencies in the wrong order",
      { rope_scaling: { ...LLAMA3, high_freq_factor: 1 } },
      "rope_scaling.high_freq_factor: expected a number above low_freq_factor (1), got 1",
    ],
    [
      "with an original context that is none",
      { rope_scaling: { ...LLAMA3, original_max_position_embeddings: "8k" } },
      'rope_scaling.original_max_position_embeddings: expected a number above 0, got "8k"',
    ],
    [
      "with heads that are turned in part",
      { partial_rotary_factor: 0.5 },
      "partial_rotary_factor: expected 1, got 0.5",
    ],
    [
      "with heads that are turned in part in the new place",
      { rope_parameters: { rope_theta: 10, partial_rotary_factor: 0.25 } },
      "rope_parameters.partial_rotary_factor: expected 1, got 0.25",
    ],
    [
      "with a θ of 0 in the new place",
      { rope_parameters: { rope_theta: 0 } },
      "rope_parameters.rope_theta: expected a number above 0, got 0",
    ],
    ...["llama", "mistral", "qwen2", "qwen3"].map((type): [string, Fields, string] => [
      `with another activation in ${type}`,
      { model_type: type, hidden_act: "gelu" },
      'hidden_act: expected "silu", got "gelu"',
    ]),
    [
      "with an empty window",
      { model_type: "mistral", sliding_window: 0 },
      "sliding_window: expected a whole number from 1 to",
    ],
    [
      "with kinds of layers in mistral",
      { model_type: "mistral", layer_types: ["full_attention", "full_attention"] },
      "layer_types: expected none for a mistral model, got ",
    ],
    [
      "with a kind of layer that is unknown",
      { model_type: "qwen2", layer_types: ["full_attention", "linear_attention"] },
      'layer_types[1]: expected "full_attention" or "sliding_attention", got "linear_attention"',
    ],
    [
      "with too few kinds of layers",
      { model_type: "qwen3", head_dim: 4, layer_types: ["full_attention"] },
      "layer_types: expected a list of 2, one for each layer, got ",
    ],
    [
      "with windowed layers and no window",
      { model_type: "qwen2", layer_types: ["full_attention", "sliding_attention"], sliding_window: 4 },
      "sliding_window: expected a number of tokens, since layer_types has sliding_attention, got none",
    ],
    [
      "with a negative first windowed layer",
      { model_type: "qwen2", ...WINDOWED, max_window_layers: -1 },
      "max_window_layers: expected a whole number from 0 on, got -1",
    ],
    [
      "with gemma2's other activation",
      { model_type: "gemma2", hidden_activation: "gelu" },
      'hidden_activation: expected "gelu_pytorch_tanh", got "gelu"',
    ],
    [
      "with a negative softcap",
      { model_type: "gemma2", final_logit_softcapping: -1 },
      "final_logit_softcapping: expected null or a number above 0, got -1",
    ],
    [
      "with a scale of 0",
      { model_type: "gemma2", query_pre_attn_scalar: 0 },
      "query_pre_attn_scalar: expected a number above 0, got 0",
    ],
    [
      "that looks ahead",
      { model_type: "gemma3_text", use_bidirectional_attention: true },
      "use_bidirectional_attention: expected false, got true",
    ],
    [
      "with softcapped scores in gemma3",
      { model_type: "gemma3_text", attn_logit_softcapping: 50 },
      "attn_logit_softcapping: expected null, got 50",
    ],
    [
      "with gemma3's own positions stretched otherwise",
      { model_type: "gemma3_text", rope_scaling: { rope_type: "yarn", factor: 2 } },
      'rope_parameters.full_attention.rope_type: expected "default", "linear" or "llama3", got "yarn"',
    ],
    [
      "with positions of no kind of gemma3's layers",
      { model_type: "gemma3_text", rope_parameters: { rope_type: "default", rope_theta: 5 } },
      'rope_parameters: expected full_attention and sliding_attention, each with its own, got "rope_type"',
    ],
    [
      "with a negative θ of gemma3's windowed layers",
      { model_type: "gemma3_text", rope_local_base_freq: -1 },
      "rope_local_base_freq: expected a number above 0, got -1",
    ],
  ];

  it.each(cases)("%s", (_, changes, message) => {
    expect(() => parse(changes)).toThrow(InvalidInputError);
    expect(() => parse(changes)).toThrow(`folder/config.json: ${message}`);
  });
});

describe("a gated decoder", () => {
  it.each([
    ["llama", ["q_proj", "k_proj", "v_proj", "o_proj"]],
    ["mistral", ["q_proj", "v_proj"]],
    ["qwen2", ["q_proj", "v_proj"]],
    ["qwen3", ["q_proj", "v_proj"]],
    ["gemma2", ["q_proj", "v_proj"]],
    ["gemma3_text", ["q_proj", "v_proj"]],
  ])("of type %s adapts %j where a run does not say", (type, usual) => {
    const { targets } = parse({ model_type: type, head_dim: 4 });
    expect(targets).toEqual({ peft: ["q_proj", "v_proj"], usual });
  });

  it.each([
    [{ model_type: "mistral" }, [4096]],
    [{ model_type: "mistral", sliding_window: null }, [null]],
    [{ model_type: "qwen2", sliding_window: 4, max_window_layers: 0 }, [null]],
    [{ model_type: "qwen2", ...WINDOWED, max_window_layers: 0 }, [4]],
    [{ model_type: "qwen2", ...WINDOWED, max_window_layers: 1 }, [null, 4]],
    [{ model_type: "qwen2", ...WINDOWED }, [null]],
    [{ model_type: "gemma2" }, [4096, null]],
    [{ model_type: "gemma3_text", sliding_window: 7 }, [7]],
    [{ model_type: "gemma3_text", sliding_window: 7, sliding_window_pattern: 2 }, [7, null]],
  ])("of %j has the windows %j", (changes, windows) => {
    expect(Object.values(parse(changes).positional.masks).map(({ window }) => window)).toEqual(windows);
  });

  it("stretches the context from which it was stretched: its own field goes before that of the scaling", () => {
    const frequencies = (changes: Fields) =>
      parse({ head_dim: 8, rope_theta: 100, ...changes }).positional.rotary.full.frequencies;
    const scaling = { ...LLAMA3, original_max_position_embeddings: 16 };
    expect(frequencies({ rope_scaling: LLAMA3 })).toEqual(frequencies({ rope_scaling: scaling }));
    expect(frequencies({ rope_scaling: scaling, original_max_position_embeddings: 64 })).toEqual(
      frequencies({ rope_scaling: { ...scaling, original_max_position_embeddings: 64 } }),
    );
    expect(frequencies({ rope_scaling: scaling })).not.toEqual(
      frequencies({ rope_scaling: { ...scaling, original_max_position_embeddings: 64 } }),
    );
  });
});
