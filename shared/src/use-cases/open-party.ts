import type { Plan } from "../contracts/plan.ts";
import { partySpec, type TrainingSpec } from "../contracts/run-spec.ts";
import { type EncodedText, encodeSample } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import { deriveSeed } from "../core/numeric/seed.ts";
import type { Sample } from "../core/samples/sample.ts";
import { sha256 } from "../formats/sha256.ts";
import type { Model } from "../ports/engine.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { partyOf } from "./load-plan.ts";
import { MAX_CONFIG_BYTES, partyTokenizer } from "./party-tokenizer.ts";

/** A party's model, open for work, with its tokenizer and settings. */
export interface OpenParty {
  party: string;
  model: Model;
  tokenizer: Tokenizer;
  training: TrainingSpec;
  encode: (sample: Sample) => EncodedText;
}

/**
 * Opens a party's model with an adapter, or a fresh one, after checking that its files are those the plan saw. Every fresh
 * adapter of a run starts from the same draw (equal shapes get equal values), as averaging weights requires.
 * @throws InvalidInputError `MODEL_CHANGED` where config.json or tokenizer.json differ from the plan's
 */
export async function openParty(
  deps: WorkerDependencies,
  plan: Plan,
  party: string,
  adapter: Uint8Array | null,
): Promise<OpenParty> {
  const spec = partySpec(plan.spec, party);
  const planned = partyOf(plan, party);
  const tokenizer = await partyTokenizer(deps, plan.spec, party);
  const config = await deps.material.read(`${spec.model}/config.json`, MAX_CONFIG_BYTES);
  for (const [file, found, expected] of [
    ["config.json", sha256(config), planned.configHash],
    ["tokenizer.json", tokenizer.hash, planned.tokenizerHash],
  ] as const) {
    if (found !== expected)
      throw new InvalidInputError(
        "MODEL_CHANGED",
        `${party}: ${spec.model}/${file} has changed since the run was planned: expected SHA-256 ${expected}, found ${found}`,
      );
  }
  const model = await deps.engine.open({
    folder: await deps.material.folder(spec.model),
    lora: spec.lora,
    adapter,
    seed: deriveSeed(plan.spec.seed, "lora"),
    threads: spec.training.threads,
  });
  const encode = (sample: Sample) => encodeSample(sample, tokenizer, planned.contextTokens, party);
  return { party, model, tokenizer, training: spec.training, encode };
}
