import type { ChatTemplate } from "../../core/tasks/write-chat.ts";
import { MAX_ADAPTER_CONFIG_BYTES, parsePeftAdapter } from "../../formats/peft-adapter.ts";
import type { GenerationLimits } from "../../ports/engine.ts";
import type { Inference, ServedAdapter } from "../../ports/inference.ts";
import type { Tokenizer } from "../../ports/tokenizer.ts";
import { openChatTemplate } from "../chat-rows.ts";
import type { WorkerDependencies } from "../dependencies.ts";
import { endTokens } from "../end-tokens.ts";
import { openTokenizedModel } from "../open-model.ts";
import { modelTokenizer } from "../party-tokenizer.ts";
import { isMissing } from "../read-optional.ts";
import { type AnsweringModel, type AnswerSources, answerRequest } from "./answer-request.ts";

/** Rank 256 on every layer of a 7B model in f32 is 2.5 GB; what is read whole here is for one machine, so less will do. */
const MAX_ADAPTER_BYTES = 2 * 1024 ** 3;

export interface EngineInferenceOptions {
  /** of the base model, as `/v1/models` names it */
  id: string;
  /** the model's folder, on this machine or in S3 */
  location: string;
  /** most tokens of a prompt and its answer together; the model's own limit where that is less, or this is absent */
  contextTokens?: number;
  threads: number;
  generation?: GenerationLimits;
}

/** Answers of the engine in this process. */
export interface EngineInference extends Inference {
  /** whether the model has a chat template */
  readonly hasChat: boolean;
}

/**
 * Answers with the engine of this process. The model's folder may have a chat template in its tokenizer_config.json or
 * chat_template.jinja; without one chats are refused, and completions answered.
 *
 * @throws InvalidInputError what opening the model, its tokenizer and its template throws
 */
export async function openEngineInference(
  deps: Pick<WorkerDependencies, "engine" | "material" | "openTokenizer" | "openTemplate">,
  sources: AnswerSources,
  { id, location, contextTokens, threads, generation }: EngineInferenceOptions,
): Promise<EngineInference> {
  const tokenizer = await modelTokenizer(deps, location);
  const template = await findChatTemplate(deps, location);
  const ends = await endTokens(deps, location, tokenizer);
  const { model } = await openTokenizedModel(deps, location, tokenizer, {
    ...{ lora: null, adapter: null, seed: 0, threads, generation },
  });
  const open: AnsweringModel = {
    ...{ model, tokenizer, template, ends },
    contextTokens: Math.min(contextTokens ?? model.contextTokens, model.contextTokens),
    longestToken: longestToken(tokenizer),
  };
  const loaded = new Set<string>();
  return {
    hasChat: template !== null,
    describe: async () => ({ id, contextTokens: open.contextTokens }),
    answer: (request, adapter, signal) => answerRequest(open, sources, request, adapter, signal),
    async loadAdapter({ name, folder }: ServedAdapter) {
      const config = await deps.material.read(`${folder}/adapter_config.json`, MAX_ADAPTER_CONFIG_BYTES);
      const weights = await deps.material.read(`${folder}/adapter_model.safetensors`, MAX_ADAPTER_BYTES);
      const { rank, alpha } = parsePeftAdapter(config, weights, folder);
      await model.loadAdapter(name, { rank, alpha, weights });
      loaded.add(name);
    },
    async unloadAdapter(name) {
      await model.unloadAdapter(name);
      loaded.delete(name);
    },
    loadedAdapters: async () => [...loaded],
    close: () => model.close(),
  };
}

/** A special token stands for no text, but chats write its name where it comes. */
function longestToken({ vocabulary: { tokens, strings } }: Tokenizer): number {
  return tokens.reduce((most, bytes, id) => Math.max(most, bytes?.length ?? strings[id]?.length ?? 0), 1);
}

/** @returns null where the model has none */
async function findChatTemplate(
  deps: Pick<WorkerDependencies, "material" | "openTemplate">,
  location: string,
): Promise<ChatTemplate | null> {
  try {
    return await openChatTemplate(deps, `${location}/tokenizer_config.json`, "the served model");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
