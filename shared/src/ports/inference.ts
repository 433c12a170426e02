import type { ChatChunk, ChatRequest } from "../contracts/openai/chat.ts";
import type { CompletionChunk, CompletionRequest } from "../contracts/openai/completion.ts";

/** A request as the HTTP layer has checked it. Whether its answer is streamed is the HTTP layer's matter alone: see {@link Inference}. */
export type InferenceRequest = { kind: "chat"; body: ChatRequest } | { kind: "completion"; body: CompletionRequest };

/** What a request is answered by: OpenAI's stream objects, of the request's kind; the last one has the usage and no choices. */
export type InferenceChunk = ChatChunk | CompletionChunk;

/** The base model that all answers come from. */
export interface ServedModel {
  /** as `/v1/models` names it */
  id: string;
  /** most tokens of a prompt and its answer together */
  contextTokens: number;
}

/** An adapter in a folder that whoever computes can read. */
export interface ServedAdapter {
  /** its name towards this port, such as `clinic-a@run-3`: never used again for other weights while it is loaded */
  name: string;
  /** a PEFT folder */
  folder: string;
}

/** What computes answers: the engine in this process, or a server that speaks the same protocol behind the gateway. */
export interface Inference {
  /** @throws TransientError `UPSTREAM_UNAVAILABLE` while a server behind is not there yet */
  describe(): Promise<ServedModel>;
  /**
   * Answers by stream objects, whatever `stream` says; chunks carry the request's `model` as it was asked for. Ending the loop, or
   * the signal, frees everything that the request held.
   *
   * @param adapter - one that is loaded; null: the base model alone
   * @throws InvalidInputError where the request cannot be answered (before the first chunk: nothing was sent yet), TransientError: also
   *   where a server behind was started anew and has lost the adapter, which is loaded again as soon as it is noticed
   */
  answer(request: InferenceRequest, adapter: string | null, signal: AbortSignal): AsyncIterable<InferenceChunk>;
  /** Applied at run time beside the base weights, which are not copied. @throws InvalidInputError `ADAPTER_INVALID` */
  loadAdapter(adapter: ServedAdapter): Promise<void>;
  /** Gives its memory back once no answer uses it any more; resolves then. Unknown names are no error. */
  unloadAdapter(name: string): Promise<void>;
  /** Names of the adapters that are loaded, in any order: a server behind that was started anew has lost them. @throws TransientError */
  loadedAdapters(): Promise<string[]>;
  close(): Promise<void>;
}
