import type { ChatTokenLogProb } from "../../contracts/openai/chat.ts";
import type { GeneratedToken } from "../../ports/engine.ts";
import type { Vocabulary } from "../../ports/tokenizer.ts";

/** A token as an answer tells of it. */
export interface ToldToken {
  text: string;
  /** null: a special token, which stands for no text */
  bytes: Uint8Array | null;
  logProb: number;
}

/** A generated token with the likeliest ones at its place. */
export interface GeneratedTold extends ToldToken {
  /** where its own text begins in the answer's, in UTF-16 units */
  begins: number;
  /** descending by log-probability */
  top: ToldToken[];
}

export function tellToken(vocabulary: Vocabulary, token: GeneratedToken, begins: number): GeneratedTold {
  return {
    ...told(vocabulary, token),
    begins,
    top: (token.top ?? []).map((one) => told(vocabulary, one)),
  };
}

function told({ tokens, strings }: Vocabulary, { id, logProb }: { id: number; logProb: number }): ToldToken {
  const bytes = tokens[id] ?? null;
  return { text: bytes === null ? (strings[id] ?? "") : writeBytes(bytes), bytes, logProb };
}

/** As OpenAI writes it: what is no whole text is told by its bytes, so that two tokens seldom look the same. */
function writeBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}

/** The form of chats. */
export function chatLogProb({ text, bytes, logProb }: ToldToken): ChatTokenLogProb {
  return { token: text, logprob: logProb, bytes: bytes === null ? null : [...bytes] };
}
