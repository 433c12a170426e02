import { invariant } from "../errors.ts";
import { type JsonObject, mergeDelta } from "./merge-delta.ts";

/** An object of a stream, as contracts/openai has it for chats and completions. */
export interface StreamObject extends JsonObject {
  choices: readonly ({ index: number } & JsonObject)[];
  usage?: JsonObject | null;
}

/** What the objects of a stream say together. */
export interface FoldedStream {
  /** id, created, model and whatever else every object says */
  head: JsonObject;
  /** in order of index */
  choices: ({ index: number } & JsonObject)[];
  usage: JsonObject;
}

/** Folds a stream of objects into what one answer says, one object at a time. */
export class StreamFold {
  #head: JsonObject = {};
  readonly #choices = new Map<number, { index: number } & JsonObject>();
  #usage: JsonObject | null = null;

  add({ choices, usage, ...head }: StreamObject): void {
    this.#head = { ...this.#head, ...head };
    this.#usage = usage ?? this.#usage;
    for (const choice of choices) {
      const told = this.#choices.get(choice.index) ?? { index: choice.index };
      mergeDelta(told, choice);
      this.#choices.set(choice.index, told);
    }
  }

  /** @throws InvariantError `STREAM_UNFINISHED` where no object had the usage */
  result(): FoldedStream {
    invariant(this.#usage !== null, "STREAM_UNFINISHED", "an answer's stream ended before its usage was told");
    const choices = [...this.#choices.values()].sort((a, b) => a.index - b.index);
    return { head: this.#head, choices, usage: this.#usage };
  }
}

/** The answer to a chat that was not to be streamed. */
export function writeChatCompletion({ head, choices, usage }: FoldedStream): JsonObject {
  return {
    ...head,
    object: "chat.completion",
    choices: choices.map(({ delta, logprobs, finish_reason, ...more }) => ({
      ...more,
      message: { role: "assistant", content: null, refusal: null, ...(delta as JsonObject) },
      logprobs: logprobs ?? null,
      finish_reason: finish_reason ?? null,
    })),
    usage,
  };
}

/** The answer to a completion that was not to be streamed. */
export function writeCompletion({ head, choices, usage }: FoldedStream): JsonObject {
  return {
    ...head,
    object: "text_completion",
    choices: choices.map(({ text, logprobs, finish_reason, ...more }) => ({
      ...more,
      text: text ?? "",
      logprobs: logprobs ?? null,
      finish_reason: finish_reason ?? null,
    })),
    usage,
  };
}
