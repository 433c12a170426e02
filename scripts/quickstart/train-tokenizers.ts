import { mkdirSync, writeFileSync } from "node:fs";
import {
  makeCharacters,
  type TokenizerFile,
  trainByteLevel,
  trainSentencePiece,
} from "../../cli/src/experiment/tokenizers/tokenizer-kinds.ts";
import { buildCorpora, QUICKSTART_SEED } from "./corpora.ts";
import { CONTEXT_TOKENS, PARTIES, type ToyParty } from "./parties.ts";

/** A party's tokenizer, from the texts that its own model is pretrained on and from nobody else's. */
export function trainTokenizer(party: ToyParty, texts: readonly string[]): TokenizerFile {
  const { kind, vocabularySize } = party.tokenizer;
  if (kind === "byte-level") return trainByteLevel(texts, vocabularySize);
  if (kind === "sentencepiece") return trainSentencePiece(texts, vocabularySize);
  return makeCharacters();
}

/** tokenizer.json, as it is committed. */
export function tokenizerText(tokenizer: TokenizerFile): string {
  return `${JSON.stringify(tokenizer.json, null, 1)}\n`;
}

/** config.json of a LLaMA checkpoint with tied embeddings, in Hugging Face's names. */
export function modelConfig(
  { hiddenSize, intermediateSize, layers, heads, keyValueHeads }: ToyParty["model"],
  tokenizer: TokenizerFile,
  contextTokens: number,
): object {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: tokenizer.vocabularySize,
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    head_dim: hiddenSize / heads,
    hidden_act: "silu",
    max_position_embeddings: contextTokens,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: true,
    initializer_range: 0.02,
    bos_token_id: tokenizer.bosId,
    eos_token_id: tokenizer.eosId,
    torch_dtype: "float16",
  };
}

if (import.meta.main) {
  const { pretraining } = buildCorpora(QUICKSTART_SEED);
  for (const party of PARTIES) {
    const tokenizer = trainTokenizer(party, pretraining.get(party.id)!);
    const folder = new URL(`../../examples/quickstart/models/${party.id}/`, import.meta.url);
    mkdirSync(folder, { recursive: true });
    writeFileSync(new URL("tokenizer.json", folder), tokenizerText(tokenizer));
    writeFileSync(
      new URL("config.json", folder),
      `${JSON.stringify(modelConfig(party.model, tokenizer, CONTEXT_TOKENS), null, 2)}\n`,
    );
    process.stdout.write(`${party.id}: ${party.tokenizer.kind}, ${tokenizer.vocabularySize} tokens\n`);
  }
}
