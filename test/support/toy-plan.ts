import { type Plan, plan } from "../../shared/src/contracts/plan.ts";
import { readRunSpec } from "../../shared/src/contracts/read-run-spec.ts";
import { CLOUD_SPEC } from "./cloud-spec.ts";

const HASH = "ab".repeat(32);

/** The plan of the toy federation in a deployment: one shard, one baseline. */
export function toyPlan(budget?: { dollars: number }): Plan {
  const spec = { ...readRunSpec(CLOUD_SPEC, "toy"), budget };
  const clients = spec.clients.map(({ id, compute }) => ({ id, compute }));
  const ids = ["server", ...clients.map(({ id }) => id)];
  return plan.parse({
    version: 1,
    run: "toy",
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
      round: 1,
      clients,
      parties: [{ id: "server", compute: "ecs" }, ...clients],
      maps: [],
      toServer: clients.map(({ id }) => ({ source: id, target: "server", shard: 0 })),
      toClients: clients.map(({ id }) => ({ source: "server", target: id, shard: 0 })),
      baselines: [{ party: "ward", compute: "worker", baseline: "zero-shot" }],
      aggregation: "none",
    },
  });
}
