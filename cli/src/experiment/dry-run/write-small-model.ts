import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initializeModel } from "@fedmkt/shared/engine/architectures/initialize-model.ts";
import { parseArchitecture } from "@fedmkt/shared/engine/architectures/parse-architecture.ts";
import {
  type SpecialTokens,
  type TokenizerFile,
  trainByteLevel,
  trainSentencePiece,
} from "../tokenizers/tokenizer-kinds.ts";
import { shrinkConfig } from "./shrink-config.ts";

export interface SmallModel {
  /** bytes of the config.json that it is to be like */
  config: Uint8Array;
  /** as errors name it */
  what: string;
  /** what its tokenizer is trained on */
  texts: readonly string[];
  /** pieces that the tokenizer has at most, bytes and special tokens among them */
  vocabularySize: number;
  contextTokens: number;
  seed: number;
}

/** LLaMA 3 and what else has more tokens than this came after SentencePiece. */
const LARGEST_SENTENCEPIECE = 65_536;
const SENTENCEPIECE = ["llama", "mistral", "gemma2", "gemma3_text"];

const SPECIAL_TOKENS: Readonly<Record<string, SpecialTokens>> = {
  opt: { pieces: ["<pad>", "</s>", "<unk>"], beginning: "</s>", end: "</s>", writesBeginning: true },
  bloom: { pieces: ["<unk>", "<s>", "</s>", "<pad>"], beginning: "<s>", end: "</s>", writesBeginning: false },
  llama: {
    pieces: ["<|begin_of_text|>", "<|end_of_text|>"],
    beginning: "<|begin_of_text|>",
    end: "<|end_of_text|>",
    writesBeginning: true,
  },
};
const ONE_SPECIAL_TOKEN: SpecialTokens = {
  pieces: ["<|endoftext|>"],
  beginning: "<|endoftext|>",
  end: "<|endoftext|>",
  writesBeginning: false,
};

/**
 * Writes a Hugging Face folder with a random model of the same architecture, two small layers, and a tokenizer of the same kind. The same
 * bytes for the same settings.
 *
 * @throws InvalidInputError `MODEL_CONFIG_INVALID` where the engine does not have the model that it is to be like
 */
export function writeSmallModel(folder: string, { config, what, texts, vocabularySize, ...rest }: SmallModel): void {
  const { modelType, vocabularySize: tokens } = parseArchitecture(config, what);
  const tokenizer = trainTokenizer(modelType, tokens, texts, vocabularySize);
  const fields = JSON.parse(new TextDecoder().decode(config)) as Record<string, unknown>;
  const small = `${JSON.stringify(shrinkConfig(fields, tokenizer, rest.contextTokens), null, 2)}\n`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), small);
  writeFileSync(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizer.json, null, 1)}\n`);
  writeFileSync(join(folder, "model.safetensors"), initializeModel(small, rest.seed));
}

function trainTokenizer(modelType: string, tokens: number, texts: readonly string[], size: number): TokenizerFile {
  if (SENTENCEPIECE.includes(modelType) && (tokens <= LARGEST_SENTENCEPIECE || modelType.startsWith("gemma")))
    return trainSentencePiece(texts, size);
  return trainByteLevel(texts, size, SPECIAL_TOKENS[modelType] ?? ONE_SPECIAL_TOKEN);
}
