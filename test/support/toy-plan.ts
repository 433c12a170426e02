import { type Plan, plan } from "../../shared/src/contracts/plan.ts";
import { readRunSpec } from "../../shared/src/contracts/read-run-spec.ts";
import { plannedRound } from "../../shared/src/use-cases/plan-rounds.ts";
import { CLOUD_SPEC } from "./cloud-spec.ts";

const HASH = "ab".repeat(32);

/** The plan of the toy federation in a deployment: one shard, one baseline. */
export function toyPlan(budget?: { dollars: number }): Plan {
  const spec = { ...readRunSpec(CLOUD_SPEC, "toy"), budget };
  const ids = ["server", ...spec.clients.map(({ id }) => id)];
  return plan.parse({
    version: 2,
    run: "toy",
    variantOf: null,
    specHash: HASH,
    spec,
    parties: ids.map((id) => ({
      id,
      tokenizerHash: HASH,
      vocabularyHash: HASH,
      configHash: HASH,
      weightsFingerprint: HASH,
      vocabularySize: 9,
      contextTokens: 9,
    })),
    public: { key: "k", hash: HASH, samples: 1, duplicates: 0, shards: 1, answerBytes: 1 },
    evaluation: [],
    machine: {
      run: "toy",
      maps: [],
      baselines: [{ party: "ward", compute: "worker", baseline: "zero-shot" }],
      variants: [],
      first: plannedRound({ run: "toy", spec, variantOf: null, public: { shards: 1 } }, 1),
    },
  });
}
