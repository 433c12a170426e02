import type { Plan } from "../contracts/plan.ts";
import { partySpec, type TrainingSpec } from "../contracts/run-spec.ts";
import { checkWritten } from "../core/alignment/check-written.ts";
import { type EncodedText, encodeSample } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import { deriveSeed } from "../core/numeric/seed.ts";
import { formatSampleId, type Sample } from "../core/samples/sample.ts";
import { sha256 } from "../formats/sha256.ts";
import type { Model } from "../ports/engine.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { forParty } from "./for-party.ts";
import { partyOf } from "./load-plan.ts";
import { MAX_CONFIG_BYTES, partyTokenizer } from "./party-tokenizer.ts";

/** A party's model, open for work, with its tokenizer and settings. */
export interface OpenParty {
  party: string;
  model: Model;
  training: TrainingSpec;
  encode: (sample: Sample) => EncodedText;
  /** as encode, for a text whose loss is compared with others': every byte of its answer must have been written */
  encodeScored: (sample: Sample) => EncodedText;
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
  const folder = await deps.material.folder(spec.model);
  const seed = deriveSeed(plan.spec.seed, "lora");
  const model = await forParty(party, () =>
    deps.engine.open({ folder, lora: spec.lora, adapter, seed, threads: spec.training.threads }),
  );
  const encode = (sample: Sample) => encodeSample(sample, tokenizer, planned.contextTokens, party);
  const encodeScored = (sample: Sample) => {
    const encoded = encode(sample);
    checkWritten(encoded, tokenizer.vocabulary.roles.unknown, `${party}: sample ${formatSampleId(sample.id)}`);
    return encoded;
  };
  return { party, model, training: spec.training, encode, encodeScored };
}
