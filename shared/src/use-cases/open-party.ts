import type { Plan } from "../contracts/plan.ts";
import { partySpec, type TrainingSpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { deriveSeed } from "../core/numeric/seed.ts";
import { sha256 } from "../formats/sha256.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { forParty } from "./for-party.ts";
import { partyOf } from "./load-plan.ts";
import { openTokenizedModel, type TokenizedModel } from "./open-model.ts";
import { MAX_CONFIG_BYTES, partyTokenizer } from "./party-tokenizer.ts";

/** A party's model, open for work, with its tokenizer and settings. */
export interface OpenParty extends TokenizedModel {
  party: string;
  training: TrainingSpec;
}

/**
 * Opens a party's model with an adapter, or a fresh one, after checking that its files are those the plan saw. Every fresh
 * adapter of a run starts from the same draw (equal shapes get equal values), as averaging weights requires.
 * @throws InvalidInputError `MODEL_CHANGED` where config.json, tokenizer.json or the weights are not the plan's
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
    ["*.safetensors", await deps.material.fingerprint(spec.model), planned.weightsFingerprint],
  ] as const) {
    if (found !== expected)
      throw new InvalidInputError(
        "MODEL_CHANGED",
        `${party}: ${spec.model}/${file} has changed since the run was planned: expected ${expected}, found ${found}`,
      );
  }
  const seed = deriveSeed(plan.spec.seed, "lora");
  const { threads } = spec.training;
  const opened = await forParty(party, () =>
    openTokenizedModel(deps, spec.model, tokenizer, { lora: spec.lora, adapter, seed, threads }, party),
  );
  return { ...opened, party, training: spec.training };
}
