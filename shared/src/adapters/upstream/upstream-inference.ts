import { chatChunk } from "../../contracts/openai/chat.ts";
import { completionChunk } from "../../contracts/openai/completion.ts";
import { modelList } from "../../contracts/openai/models.ts";
import { InvalidInputError, type TransientError } from "../../core/errors.ts";
import type { Inference, InferenceChunk, InferenceRequest, ServedAdapter, ServedModel } from "../../ports/inference.ts";
import { readEvents } from "./read-events.ts";
import { RunningAnswers } from "./running-answers.ts";
import { parseJson, readJson, type UpstreamAnswer, UpstreamClient, type UpstreamTimeouts } from "./upstream-client.ts";
import {
  eventFailure,
  type FailedAnswer,
  invalid,
  parseErrorBody,
  requestFailure,
  told,
  unavailable,
} from "./upstream-failure.ts";

/** Below the 300 s after which Node's fetch ends a request itself. */
const USUAL_TIMEOUTS: UpstreamTimeouts = { beginMs: 270_000, silenceMs: 120_000, callMs: 60_000 };
const ROUTES = { chat: "/v1/chat/completions", completion: "/v1/completions" } as const;
const END_OF_STREAM = "[DONE]";

export interface UpstreamInferenceOptions {
  /** such as http://127.0.0.1:8000, with or without /v1 behind it */
  url: string;
  /** bearer key; none is sent unless given */
  key?: string | null;
  /** of the base model, as `/v1/models` names it; as the server behind does, unless given */
  id?: string | null;
  timeouts?: Partial<UpstreamTimeouts>;
}

/**
 * Answers with a server that speaks the same protocol, such as vLLM's or another of these: every request is sent on with whatever
 * fields it has, always streamed and with its usage. Adapters are loaded and unloaded by vLLM's calls, for which that needs
 * VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, and must lie where it can read them, by the same path.
 *
 * @see https://docs.vllm.ai/en/latest/features/lora/ "Dynamically serving LoRA adapters"
 */
export class UpstreamInference implements Inference {
  readonly #client: UpstreamClient;
  readonly #id: string | null;
  readonly #running = new RunningAnswers();
  /** what the server behind calls its base model; null: it has not been asked yet */
  #base: string | null = null;

  constructor({ url, key = null, id = null, timeouts }: UpstreamInferenceOptions) {
    this.#client = new UpstreamClient({ url, key, timeouts: { ...USUAL_TIMEOUTS, ...timeouts } });
    this.#id = id;
  }

  async describe(): Promise<ServedModel> {
    const base = (await this.#models()).find(({ parent }) => (parent ?? null) === null);
    if (base === undefined) throw invalid("expected a base model in /v1/models, got none");
    const contextTokens = base.max_model_len ?? null;
    if (contextTokens === null) throw invalid("expected max_model_len with its base model in /v1/models, got none");
    this.#base = base.id;
    return { id: this.#id ?? base.id, contextTokens };
  }

  async *answer(
    { kind, body }: InferenceRequest,
    adapter: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<InferenceChunk, void> {
    signal.throwIfAborted();
    if (this.#base === null) await this.describe();
    const sent = {
      ...body,
      model: adapter ?? this.#base,
      stream: true,
      stream_options: { ...body.stream_options, include_usage: true },
    };
    const release = this.#running.begin(adapter);
    try {
      const chunks = this.#client.stream(ROUTES[kind], sent, signal, (answer) => readChunks(kind, answer));
      for await (const chunk of chunks) yield { ...chunk, model: body.model };
    } finally {
      release();
    }
  }

  async loadAdapter({ name, folder }: ServedAdapter): Promise<void> {
    const failed = await this.#load(name, folder);
    if (failed === null) return;
    // left there by a gateway before this one, maybe with other weights: in place they would be taken for those that caches know
    if (failed.status === 400 && failed.body?.error.message.includes("already been loaded") === true) {
      await this.#unload(name);
      const again = await this.#load(name, folder);
      if (again === null) return;
      throw await this.#loadFailure(name, again);
    }
    throw await this.#loadFailure(name, failed);
  }

  async unloadAdapter(name: string): Promise<void> {
    await this.#running.ended(name);
    await this.#unload(name);
  }

  async loadedAdapters(): Promise<string[]> {
    return (await this.#models()).filter(({ parent }) => (parent ?? null) !== null).map(({ id }) => id);
  }

  async close(): Promise<void> {}

  async #models() {
    const { value, failed } = await this.#client.call("/v1/models", null);
    if (failed !== null) throw unavailable(`its /v1/models answered ${failed.status}${told(failed.body)}`);
    const parsed = modelList.safeParse(value);
    if (!parsed.success) throw invalid("expected a list of models from /v1/models, got another answer");
    return parsed.data.data;
  }

  async #load(name: string, folder: string): Promise<FailedAnswer | null> {
    return (await this.#client.call("/v1/load_lora_adapter", { lora_name: name, lora_path: folder })).failed;
  }

  async #unload(name: string): Promise<void> {
    const { failed } = await this.#client.call("/v1/unload_lora_adapter", { lora_name: name });
    if (failed !== null && failed.status !== 404)
      throw unavailable(`it did not unload adapter ${name} (${failed.status})${told(failed.body)}`);
  }

  async #loadFailure(name: string, failed: FailedAnswer): Promise<InvalidInputError | TransientError> {
    const { status, body } = failed;
    if (status === 404 && body === null)
      return new InvalidInputError(
        "UPSTREAM_WITHOUT_ADAPTERS",
        "the server behind: expected vLLM's /v1/load_lora_adapter, found none: start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True",
      );
    const refused = status === 400 || status === 404 || status === 422;
    // newer vLLM answers 500 for an adapter that does not fit, too; whether it has broken down itself, its health tells
    if (!refused && !(status === 500 && body !== null && (await this.#isHealthy()))) return requestFailure(failed);
    return new InvalidInputError(
      "ADAPTER_INVALID",
      `adapter ${name}: the server behind refuses it (${status})${told(body)}`,
    );
  }

  async #isHealthy(): Promise<boolean> {
    return (await this.#client.call("/health", null)).status === 200;
  }
}

/** @throws RefusedRequest, TransientError: what the answer says, or that it is not of this protocol */
async function* readChunks(
  kind: InferenceRequest["kind"],
  { status, retryAfter, contentType, body }: UpstreamAnswer,
): AsyncGenerator<InferenceChunk, void> {
  if (status >= 400) throw requestFailure({ status, retryAfter, body: parseErrorBody(await readJson(body)) });
  if (status !== 200 || !contentType.startsWith("text/event-stream"))
    throw invalid(`expected a stream of events, got status ${status} and ${contentType || "no content type"}`);
  let last: InferenceChunk | null = null;
  for await (const data of readEvents(body, invalid)) {
    if (data === END_OF_STREAM) break;
    if (last !== null) throw invalid("expected nothing behind the usage, got another object");
    const chunk = readChunk(kind, data);
    if (chunk.choices.length === 0 && (chunk.usage ?? null) !== null) last = chunk;
    else yield chunk;
  }
  if (last === null) throw unavailable("an answer broke off before its usage was told");
  yield last;
}

function readChunk(kind: InferenceRequest["kind"], data: string): InferenceChunk {
  const value = parseJson(data);
  const error = parseErrorBody(value);
  if (error !== null) throw eventFailure(error);
  const parsed = (kind === "chat" ? chatChunk : completionChunk).safeParse(value);
  if (!parsed.success) throw invalid(`expected objects of a ${kind}'s stream, got another event`);
  return parsed.data;
}
