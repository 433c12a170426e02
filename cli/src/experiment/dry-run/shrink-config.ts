import type { TokenizerFile } from "../tokenizers/tokenizer-kinds.ts";

type Config = Readonly<Record<string, unknown>>;

const LAYERS = 2;
const HEAD_SIZE = 8;
const KEY_VALUE_HEADS = 2;
const WINDOW = 16;

/** What an architecture calls its sizes; the first name of each is written where the file has none of them. */
interface Names {
  hidden: readonly string[];
  layers: readonly string[];
  heads: readonly string[];
  /** width of the MLP; none where the architecture makes it of the hidden size */
  inner: readonly string[];
  context: readonly string[];
}

const LLAMA: Names = {
  hidden: ["hidden_size"],
  layers: ["num_hidden_layers"],
  heads: ["num_attention_heads"],
  inner: ["intermediate_size"],
  context: ["max_position_embeddings"],
};

const NAMES: Readonly<Record<string, Names>> = {
  gpt2: {
    hidden: ["n_embd", "hidden_size"],
    layers: ["n_layer", "num_hidden_layers"],
    heads: ["n_head", "num_attention_heads"],
    inner: ["n_inner"],
    context: ["n_positions", "max_position_embeddings", "n_ctx"],
  },
  opt: { ...LLAMA, inner: ["ffn_dim"] },
  bloom: {
    hidden: ["n_embed", "hidden_size"],
    layers: ["n_layer", "num_hidden_layers"],
    heads: ["n_head", "num_attention_heads"],
    inner: [],
    context: ["seq_length"],
  },
};

/**
 * A config.json of the same architecture with two small layers. What shapes the computation stays: model_type, groups of heads, activation,
 * norms, biases, tied or not, RoPE, ALiBi of a number of heads that is no power of two, windows, and how wide an MLP is for its hidden size.
 *
 * @param config - of an architecture that the engine has
 * @param tokenizer - what the small model reads with
 * @param contextTokens - longest text that it must take
 */
export function shrinkConfig(config: Config, tokenizer: TokenizerFile, contextTokens: number): Config {
  const names = NAMES[config.model_type as string] ?? LLAMA;
  const read = (among: readonly string[]) => among.map((name) => config[name]).find((value) => value != null) as number;
  const heads = read(names.heads);
  const groups = heads / ((config.num_key_value_heads as number | null | undefined) ?? heads);
  // a number of heads that is no power of two is a case of its own (ALiBi), and an odd one for whoever halves
  const keyValueHeads = groups === 1 && !Number.isInteger(Math.log2(heads)) ? KEY_VALUE_HEADS + 1 : KEY_VALUE_HEADS;
  const smallHeads = groups === 1 ? keyValueHeads : 2 * keyValueHeads;
  const hidden = smallHeads * HEAD_SIZE;
  const inShare = (value: unknown) =>
    Math.max(2, 2 * Math.round((hidden * (value as number)) / read(names.hidden) / 2));

  const small: Record<string, unknown> = { ...config };
  /** Under the name that the file has, and under no other. */
  const write = (among: readonly string[], value: unknown) => {
    const name = among.find((one) => config[one] != null) ?? among[0];
    for (const other of among) delete small[other];
    small[name] = value;
  };
  const replace = (name: string, value: unknown) => {
    if (config[name] != null) small[name] = value;
  };
  write(names.hidden, hidden);
  write(names.layers, LAYERS);
  write(names.heads, smallHeads);
  for (const name of names.inner) replace(name, inShare(config[name]));
  write(names.context, contextTokens);
  replace("num_key_value_heads", keyValueHeads);
  // where a gated decoder's is missing, it may be another than what follows from the hidden size
  if (names === LLAMA) small.head_dim = HEAD_SIZE;
  replace("word_embed_proj_dim", inShare(config.word_embed_proj_dim));
  replace("sliding_window", WINDOW);
  replace("layer_types", oneOfEach(config.layer_types));
  // where layer_types is missing, these say which layers have a window, and by default that of many layers
  if (config.model_type === "gemma3_text") small.sliding_window_pattern = LAYERS;
  if (config.use_sliding_window === true) small.max_window_layers = LAYERS - 1;
  small.vocab_size = tokenizer.vocabularySize;
  for (const name of ["torch_dtype", "dtype", "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id"])
    delete small[name];
  small.bos_token_id = tokenizer.bosId;
  small.eos_token_id = tokenizer.eosId;
  return small;
}

/** Two layers, of both kinds where there are two. */
function oneOfEach(layerTypes: unknown): unknown {
  if (!Array.isArray(layerTypes)) return layerTypes;
  const kinds = [...new Set(layerTypes)];
  return Array.from({ length: LAYERS }, (_, index) => kinds[index % kinds.length]);
}
