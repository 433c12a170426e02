import { existsSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { partySpec } from "@fedmkt/shared/contracts/run-spec.ts";
import type { PartySize } from "@fedmkt/shared/core/cost/run-size.ts";
import { parseArchitecture } from "@fedmkt/shared/engine/architectures/parse-architecture.ts";
import { type EstimateSettings, estimateModel } from "@fedmkt/shared/engine/memory-estimate.ts";
import { modelFiles } from "@fedmkt/shared/formats/model-files.ts";
import { isAtHand, isElsewhere } from "../spec-locations.ts";

/** What stands for a model that this machine cannot look at. */
export const ASSUMED_MODEL = {
  serverParameters: 7e9,
  clientParameters: 1.3e9,
  vocabularySize: 32_000,
  /** rank 8 on the attention's projections has about so many weights of a model's */
  adapterShare: 0.0012,
  files: 3,
} as const;

/** What a party's part of a run costs by, as far as it is its model's. */
export type ModelSize = Pick<PartySize, "parameters" | "modelBytes" | "modelFiles" | "adapterBytes" | "vocabularySize">;

export interface MeasuredModel {
  size: ModelSize;
  /** config.json's model_type; null where nothing of the model is here */
  modelType: string | null;
  /** peak of training; null where nothing of the model is here */
  memoryBytes: { plain: number; checkpointed: number } | null;
  /** what could not be looked at, and what stands for it */
  assumption: string | null;
}

/**
 * A party's model by its config.json; the files' bytes too, where its weights and tokenizer are here.
 * @param tokens - of the longest sample that it trains on
 */
export async function measureModel(spec: RunSpec, id: string, tokens: number): Promise<MeasuredModel> {
  const { model, lora, training } = partySpec(spec, id);
  const config = join(model, "config.json");
  if (isElsewhere(model) || !existsSync(config)) return assumeModel(id);
  const bytes = await readFile(config);
  const architecture = parseArchitecture(bytes, `${id}: ${config}`);
  const estimate = (checkpointing: boolean) => {
    const settings: EstimateSettings = {
      lora,
      batch: training.microBatchSize ?? training.batchSize,
      tokens: Math.min(tokens, architecture.contextTokens),
      checkpointing,
    };
    return estimateModel(architecture, settings);
  };
  const { parameters, adapterBytes, memory } = estimate(false);
  const files = isAtHand(model, "model") ? modelFiles(await readdir(model), model) : null;
  const floatBytes = bytesOfFloats(bytes);
  return {
    modelType: architecture.modelType,
    memoryBytes: { plain: memory.total, checkpointed: estimate(true).memory.total },
    size: {
      parameters,
      modelBytes:
        files === null
          ? parameters * floatBytes
          : files.reduce((sum, file) => sum + statSync(join(model, file)).size, 0),
      modelFiles: files?.length ?? ASSUMED_MODEL.files,
      adapterBytes,
      vocabularySize: architecture.vocabularySize,
    },
    assumption:
      files === null ? `${id}'s model: from config.json alone; weights of ${8 * floatBytes} bits, no tokenizer` : null,
  };
}

function assumeModel(id: string): MeasuredModel {
  const parameters = id === "server" ? ASSUMED_MODEL.serverParameters : ASSUMED_MODEL.clientParameters;
  return {
    modelType: null,
    memoryBytes: null,
    size: {
      parameters,
      modelBytes: 2 * parameters,
      modelFiles: ASSUMED_MODEL.files,
      adapterBytes: parameters * ASSUMED_MODEL.adapterShare * Float32Array.BYTES_PER_ELEMENT,
      vocabularySize: ASSUMED_MODEL.vocabularySize,
    },
    assumption: `${id}'s model: not looked into; ${parameters} parameters`,
  };
}

/** What a config.json says of its file's numbers, 32 bits where it says nothing, as transformers has it. */
function bytesOfFloats(config: Uint8Array): number {
  const { torch_dtype: type, dtype = type } = JSON.parse(new TextDecoder().decode(config)) as Record<string, unknown>;
  return dtype === "float16" || dtype === "bfloat16" ? 2 : 4;
}
