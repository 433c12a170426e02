import type { ToyParty } from "./parties.ts";

const KINDS = {
  "byte-level": "byte-level BPE",
  sentencepiece: "SentencePiece-style BPE with byte fallback",
  characters: "characters",
} as const;

/** The model's README.md, as Hugging Face shows it. */
export function modelCard(
  party: ToyParty,
  parameters: number,
  texts: number,
  epochs: number,
  lossNats: number,
): string {
  const { hiddenSize, layers, heads } = party.model;
  return `---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# ${party.id}, a toy model of the FedMKT quickstart

A LLaMA model of ${parameters.toLocaleString("en")} parameters (hidden size ${hiddenSize}, ${layers} layers, ${heads} heads, tied embeddings, f16), for
showing what a federation does. It writes nothing but sentences about an imaginary world, and is of no other use.

- Tokenizer: ${KINDS[party.tokenizer.kind]}, ${party.tokenizer.vocabularySize} tokens.
- It knows ${party.knows}.
- Pretrained on ${texts.toLocaleString("en")} synthetic texts, ${epochs} passes, by this project's own engine; last pass ${lossNats.toFixed(3)} nats a token.
- Made by \`node scripts/quickstart/pretrain.ts ${party.id}\`, from text that the project's own grammars write.
`;
}
