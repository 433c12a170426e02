import { z } from "zod";
import { MAX_MODEL_NAME } from "./request-limits.ts";

const MAX_PATH = 4096;

/**
 * vLLM's `POST /v1/load_lora_adapter`. It answers 200 with a line of text, 400 where a name is there already and `load_inplace` is not
 * true, 404 where the folder is not there.
 *
 * @see https://docs.vllm.ai/en/latest/features/lora/ "Dynamically serving LoRA adapters", vllm/entrypoints/serve/lora/protocol.py
 */
export const loadAdapterRequest = z.object({
  lora_name: z.string().min(1).max(MAX_MODEL_NAME),
  lora_path: z.string().min(1).max(MAX_PATH),
  load_inplace: z.boolean().nullish(),
});
export type LoadAdapterRequest = z.infer<typeof loadAdapterRequest>;

/** vLLM's `POST /v1/unload_lora_adapter`: 404 where there is none of that name. */
export const unloadAdapterRequest = z.object({ lora_name: z.string().min(1).max(MAX_MODEL_NAME) });
export type UnloadAdapterRequest = z.infer<typeof unloadAdapterRequest>;
