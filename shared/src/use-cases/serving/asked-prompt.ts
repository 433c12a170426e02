import type { ChatMessage, ChatRequest } from "../../contracts/openai/chat.ts";
import type { CompletionRequest } from "../../contracts/openai/completion.ts";
import { RefusedRequest } from "../../contracts/openai/errors.ts";
import { InvalidInputError } from "../../core/errors.ts";
import { type ChatTemplate, writePrompt } from "../../core/tasks/write-chat.ts";
import { quote } from "../../formats/quote.ts";
import type { Tokenizer } from "../../ports/tokenizer.ts";
import { dropsOpeningSpace, promptTokens } from "../generate-text.ts";

/** A word this long is none: 32,768 characters of such take a quarter of a second to read. */
const LONG_RUN = 256;
const MOST_IN_LONG_RUNS = 32_768;
const RUNS = /\p{L}+|\s+|[^\p{L}\s]+/gu;

/** A prompt in the model's tokens. */
export interface AskedPrompt {
  /** [T] */
  tokens: Int32Array;
  /** as it is echoed */
  text: string;
  /** whether a space that the answer begins with is the tokenizer's own */
  dropsSpace: boolean;
}

/** What a prompt is read with. */
export interface PromptReader {
  tokenizer: Tokenizer;
  /** null: the model has none */
  template: ChatTemplate | null;
  /** most tokens of a prompt and its answer together */
  contextTokens: number;
  /** the most characters, at least, that one token of a prompt stands for: bytes of its text, or its name */
  longestToken: number;
}

/**
 * A conversation as the model's chat template writes it, after the opening token: as `fedmkt generate --chat-template` does, and as the
 * prompts of conversations were written in training.
 *
 * @throws RefusedRequest `CHAT_TEMPLATE_MISSING`, `CHAT_REFUSED` where a message holds one of the template's special tokens,
 *   `TEMPLATE_REFUSED`, `CONTEXT_LENGTH_EXCEEDED`
 */
export function readChatPrompt(reader: PromptReader, { messages }: ChatRequest): AskedPrompt {
  const { template } = reader;
  const refuse = (code: string, reason: string) => new RefusedRequest(code, reason, { param: "messages" });
  if (template === null)
    throw refuse(
      "CHAT_TEMPLATE_MISSING",
      "messages: expected a model with a chat template, this one has none; it answers /v1/completions",
    );
  const length = messages.reduce((sum, { content }) => sum + lengthOf(content), 0);
  refuseLong(reader, length, "messages");
  const written = inTemplate(refuse, () => writePrompt(messages.map(flat), template));
  if ("refusal" in written) throw refuse("CHAT_REFUSED", written.refusal);
  const { prompt, marks } = written;
  refuseLong(reader, prompt.length, "messages");
  refuseEndless(prompt, "messages");
  return asked(reader, "messages", {
    tokens: tokensOf(reader, prompt, "messages", marks),
    text: prompt,
    dropsSpace: false,
  });
}

/**
 * The prompts of a completion. Text is read as `fedmkt generate` reads it: behind the opening token, and what looks like a special
 * token in it is text. Tokens are taken as they are.
 *
 * @throws RefusedRequest `INVALID_VALUE`, `CONTEXT_LENGTH_EXCEEDED`
 */
export function readCompletionPrompts(reader: PromptReader, { prompt }: CompletionRequest): AskedPrompt[] {
  const several = Array.isArray(prompt) && typeof prompt[0] !== "number";
  const prompts = (several ? prompt : [prompt]) as (string | number[])[];
  return prompts.map((one, index) => {
    const param = several ? `prompt[${index}]` : "prompt";
    return typeof one === "string" ? readText(reader, one, param) : readTokens(reader, one, param);
  });
}

function readText(reader: PromptReader, text: string, param: string): AskedPrompt {
  refuseLong(reader, text.length, param);
  refuseEndless(text, param);
  const tokens = tokensOf(reader, text, param);
  return asked(reader, param, { tokens, text, dropsSpace: text === "" && dropsOpeningSpace(reader.tokenizer) });
}

function readTokens(reader: PromptReader, ids: readonly number[], param: string): AskedPrompt {
  const { strings } = reader.tokenizer.vocabulary;
  const unknown = ids.find((id) => (strings[id] ?? null) === null);
  if (unknown !== undefined)
    throw new RefusedRequest(
      "INVALID_VALUE",
      `${param}: expected token ids of the model's ${strings.length} tokens, got ${quote(unknown)}`,
      { param },
    );
  const tokens = Int32Array.from(ids);
  return asked(reader, param, { tokens, text: reader.tokenizer.decode(tokens), dropsSpace: false });
}

function tokensOf(
  { tokenizer, contextTokens }: PromptReader,
  text: string,
  param: string,
  marks?: readonly string[],
): Int32Array {
  try {
    return promptTokens(tokenizer, text, marks, contextTokens);
  } catch (error) {
    if (!(error instanceof InvalidInputError) || error.code !== "UNREPRESENTABLE_TEXT") throw error;
    throw new RefusedRequest("INVALID_VALUE", `${param}: ${error.message}`, { param }, { cause: error });
  }
}

/** Before a text is read: by its length alone it may have more tokens than fit. */
function refuseLong({ contextTokens, longestToken }: PromptReader, length: number, param: string): void {
  const least = Math.ceil(length / longestToken);
  if (least > contextTokens) throw contextExceeded(contextTokens, `at least ${least}`, param);
}

/** What is written without an end takes far longer to read than words do, and holds up everybody else. */
function refuseEndless(text: string, param: string): void {
  let endless = 0;
  for (const [run] of text.matchAll(RUNS)) if (run.length > LONG_RUN) endless += run.length;
  if (endless > MOST_IN_LONG_RUNS)
    throw new RefusedRequest(
      "INVALID_VALUE",
      `${param}: expected at most ${MOST_IN_LONG_RUNS} characters in words, spaces or signs that go on for more than ${LONG_RUN}, got ${endless}`,
      { param },
    );
}

function asked({ contextTokens }: PromptReader, param: string, prompt: AskedPrompt): AskedPrompt {
  // the answer's first token has to fit, too
  const { length } = prompt.tokens;
  // of a text that is too long no more is read than that it is
  if (length > contextTokens) throw contextExceeded(contextTokens, `at least ${length}`, param);
  if (length === contextTokens) throw contextExceeded(contextTokens, `${length}`, param);
  return prompt;
}

/** In OpenAI's words, by which clients know it. */
function contextExceeded(contextTokens: number, tokens: string, param: string): RefusedRequest {
  const what = param === "messages" ? "messages" : "prompt";
  return new RefusedRequest(
    "CONTEXT_LENGTH_EXCEEDED",
    `This model's maximum context length is ${contextTokens} tokens. However, your ${what} resulted in ${tokens} tokens. Please reduce the length of the ${what}.`,
    { param },
  );
}

function lengthOf(content: ChatMessage["content"]): number {
  return typeof content === "string" ? content.length : content.reduce((sum, { text }) => sum + text.length, 0);
}

/** `developer` is OpenAI's newer name of `system`, which templates know. Parts of a text stand on lines of their own, as vLLM writes them. */
function flat({ role, content }: ChatMessage): { role: string; content: string } {
  const text = typeof content === "string" ? content : content.map((part) => part.text).join("\n");
  return { role: role === "developer" ? "system" : role, content: text };
}

/** A template may refuse a conversation, such as one in which nobody asks anything. */
function inTemplate<T>(refuse: (code: string, reason: string) => RefusedRequest, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InvalidInputError) || error.code !== "TEMPLATE_REFUSED") throw error;
    throw refuse("TEMPLATE_REFUSED", "messages: the model's chat template refuses this conversation");
  }
}
