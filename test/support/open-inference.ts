import { FileMaterial } from "../../shared/src/adapters/material/file-material.ts";
import { openTemplate } from "../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { GenerationLimits, Model } from "../../shared/src/ports/engine.ts";
import type { Inference } from "../../shared/src/ports/inference.ts";
import { openEngineInference } from "../../shared/src/use-cases/serving/engine-inference.ts";
import { engine } from "./shared-engine.ts";

/** A model's folder, served by the test file's engine as `base`. */
export async function openInference(
  location: string,
  generation?: GenerationLimits,
): Promise<{ inference: Inference; model: Model }> {
  let model: Model | null = null;
  const keeping = {
    async open(options: Parameters<typeof engine.open>[0]) {
      model = await engine.open(options);
      return model;
    },
    close: async () => {},
  };
  let ids = 0;
  const sources = { newId: () => `${++ids}`, nowSeconds: () => 1_800_000_000, newSeed: () => 1 };
  const deps = { engine: keeping, material: new FileMaterial(), openTokenizer, openTemplate };
  const inference = await openEngineInference(deps, sources, { id: "base", location, threads: 1, generation });
  return { inference, model: model! };
}
