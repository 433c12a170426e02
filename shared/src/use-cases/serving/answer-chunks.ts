import type { ChatChunk } from "../../contracts/openai/chat.ts";
import type { CompletionChunk, CompletionLogProbs } from "../../contracts/openai/completion.ts";
import type { Usage } from "../../contracts/openai/usage.ts";
import type { AnswerPart } from "./answer-parts.ts";
import { chatLogProb, type GeneratedTold } from "./told-token.ts";

/** What all objects of one answer have in common. */
export interface AnswerHead {
  id: string;
  /** seconds since 1970 */
  created: number;
  /** as it was asked for */
  model: string;
}

/** Writes an answer's parts as OpenAI's stream objects. */
export interface ChunkWriter<Chunk> {
  /** @returns perhaps none: a part may have neither text nor tokens */
  write(index: number, part: AnswerPart): Chunk[];
  /** the last object */
  finish(usage: Usage): Chunk;
}

/** Each answer begins with its role, and ends with an object that has no text. */
export function chatChunks(head: AnswerHead, tellsTokens: boolean): ChunkWriter<ChatChunk> {
  const object = "chat.completion.chunk";
  const begun = new Set<number>();
  type Choice = ChatChunk["choices"][number];
  const chunk = (choice: Choice): ChatChunk => ({ ...head, object, choices: [choice] });
  return {
    write(index, { text, tokens, end }) {
      const chunks: ChatChunk[] = [];
      const give = (delta: Choice["delta"], logprobs: Choice["logprobs"], finish_reason: string | null) =>
        chunks.push(chunk({ index, delta, logprobs, finish_reason }));
      if (!begun.has(index)) {
        begun.add(index);
        give({ role: "assistant", content: "" }, null, null);
      }
      if (text !== "" || tokens.length > 0) {
        const content = tokens.map((token) => ({ ...chatLogProb(token), top_logprobs: token.top.map(chatLogProb) }));
        give({ content: text }, tellsTokens ? { content, refusal: null } : null, null);
      }
      if (end !== null) give({}, null, end);
      return chunks;
    },
    finish: (usage) => ({ ...head, object, choices: [], usage }),
  };
}

/** @param echoed - what each answer begins with, by its index; empty where nothing is echoed */
export function completionChunks(
  head: AnswerHead,
  tellsTokens: boolean,
  echoed: (index: number) => string,
): ChunkWriter<CompletionChunk> {
  const object = "text_completion";
  const begun = new Set<number>();
  return {
    write(index, { text, tokens, end }) {
      const chunks: CompletionChunk[] = [];
      const give = (text: string, logprobs: CompletionLogProbs | null, finish_reason: string | null) =>
        chunks.push({ ...head, object, choices: [{ index, text, logprobs, finish_reason }] });
      if (!begun.has(index)) {
        begun.add(index);
        if (echoed(index) !== "") give(echoed(index), null, null);
      }
      if (text !== "" || tokens.length > 0) give(text, tellsTokens ? completionLogProbs(tokens) : null, null);
      if (end !== null) give("", null, end);
      return chunks;
    },
    finish: (usage) => ({ ...head, object, choices: [], usage }),
  };
}

function completionLogProbs(tokens: readonly GeneratedTold[]): CompletionLogProbs {
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logProb }) => logProb),
    top_logprobs: tokens.map((token) => {
      // of two tokens that look the same the likelier one
      const byText = new Map([...token.top, token].reverse().map(({ text, logProb }) => [text, logProb]));
      const likeliest = [...byText].sort(([, one], [, other]) => other - one);
      return Object.fromEntries(likeliest);
    }),
    text_offset: tokens.map(({ begins }) => begins),
  };
}
