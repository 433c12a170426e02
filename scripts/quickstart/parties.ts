/** The toy federation: who is who, and what their models look like. */
export interface ToyParty {
  id: "server" | "ward" | "harbour" | "workshop";
  /** one line for the model's card */
  knows: string;
  tokenizer: { kind: "byte-level" | "sentencepiece" | "characters"; vocabularySize: number };
  /** peak learning rate of the pretraining */
  learningRate: number;
  model: { hiddenSize: number; intermediateSize: number; layers: number; heads: number; keyValueHeads: number };
}

export const PARTIES: readonly ToyParty[] = [
  {
    id: "server",
    knows:
      "the phrases of all three trades as any other organisation writes them, none of the three organisations' own facts",
    tokenizer: { kind: "byte-level", vocabularySize: 1024 },
    learningRate: 0.003,
    model: { hiddenSize: 128, intermediateSize: 352, layers: 4, heads: 4, keyValueHeads: 4 },
  },
  {
    id: "ward",
    knows: "the ward's own archive, and the other two trades in general",
    tokenizer: { kind: "byte-level", vocabularySize: 640 },
    learningRate: 0.004,
    model: { hiddenSize: 96, intermediateSize: 256, layers: 3, heads: 4, keyValueHeads: 2 },
  },
  {
    id: "harbour",
    knows: "the harbour's own archive, and the other two trades in general",
    tokenizer: { kind: "sentencepiece", vocabularySize: 768 },
    learningRate: 0.004,
    model: { hiddenSize: 96, intermediateSize: 256, layers: 3, heads: 4, keyValueHeads: 4 },
  },
  {
    id: "workshop",
    knows: "the workshop's own archive, and the other two trades in general",
    tokenizer: { kind: "characters", vocabularySize: 222 },
    learningRate: 0.004,
    model: { hiddenSize: 96, intermediateSize: 256, layers: 3, heads: 4, keyValueHeads: 4 },
  },
];

/** Tokens a model can see at once: a sample in single bytes, and its beginning and end. */
export const CONTEXT_TOKENS = 192;
