import { averagesAnywhere } from "../contracts/derive-variant.ts";
import type { PartyPlan } from "../contracts/plan.ts";
import { partySpec, type RunSpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { parseModelConfig } from "../formats/model-config.ts";
import { sha256 } from "../formats/sha256.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { StageDependencies } from "./dependencies.ts";
import { forParty } from "./for-party.ts";
import { MAX_CONFIG_BYTES, partyTokenizer } from "./party-tokenizer.ts";

/** A party as the plan keeps it, with its tokenizer while planning lasts. */
export interface PlannedParty extends PartyPlan {
  tokenizer: Tokenizer;
}

/** Looks at every party's model: configuration, tokenizer, weights. @throws InvalidInputError naming party, file and field */
export async function planParties(deps: StageDependencies, spec: RunSpec): Promise<PlannedParty[]> {
  const parties: PlannedParty[] = [];
  for (const id of ["server", ...spec.clients.map((client) => client.id)])
    parties.push(await planParty(deps, spec, id));
  refuseUnequalModels(spec, parties);
  return parties;
}

/** One party's model; see planParties. */
export async function planParty(deps: StageDependencies, spec: RunSpec, id: string): Promise<PlannedParty> {
  return forParty(id, () => lookAt(deps, spec, id));
}

async function lookAt(deps: StageDependencies, spec: RunSpec, id: string): Promise<PlannedParty> {
  const { model } = partySpec(spec, id);
  const config = await deps.material.read(`${model}/config.json`, MAX_CONFIG_BYTES);
  const { vocabularySize, contextTokens } = parseModelConfig(config, `${id}: ${model}/config.json`);
  const tokenizer = await partyTokenizer(deps, spec, id);
  const tokens = tokenizer.vocabulary.tokens.length;
  if (tokens > vocabularySize)
    throw new InvalidInputError(
      "VOCABULARY_TOO_LARGE",
      `${id}: ${model}/tokenizer.json has ${tokens} tokens, but the model has only ${vocabularySize} (vocab_size in config.json)`,
    );
  return {
    id,
    tokenizerHash: tokenizer.hash,
    vocabularyHash: vocabularyHash(tokenizer),
    configHash: sha256(config),
    weightsFingerprint: await deps.material.fingerprint(model),
    vocabularySize,
    contextTokens,
    tokenizer,
  };
}

/** What a vocabulary map depends on: the tokenizer, and the roles that the model's config.json gives to its tokens. */
function vocabularyHash({ hash, vocabulary }: Tokenizer): string {
  const { bos, eos, unknown, pad } = vocabulary.roles;
  return sha256(`${hash} bos ${bos} eos ${eos} unknown ${unknown} pad ${pad}`);
}

/** FedAvg averages weights, which means something between equal models only, in the run as in its variants. */
function refuseUnequalModels(spec: RunSpec, parties: readonly PartyPlan[]): void {
  if (!averagesAnywhere(spec)) return;
  const [first, ...clients] = parties.filter((party) => party.id !== "server");
  const asked = spec.aggregation === "fedavg" ? "aggregation: fedavg" : "the baseline fedavg";
  for (const [field, file] of [
    ["configHash", "config.json"],
    ["tokenizerHash", "tokenizer.json"],
    ["weightsFingerprint", "weight files"],
  ] as const) {
    const other = clients.find((party) => party[field] !== first[field]);
    if (other)
      throw new InvalidInputError(
        "MODELS_DIFFER",
        `${asked} averages equal models only, but ${file} of ${other.id} and of ${first.id} differ`,
      );
  }
}
