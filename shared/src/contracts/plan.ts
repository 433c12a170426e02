import { z } from "zod";
import { runSpec } from "./run-spec.ts";
import { partyRef, plannedRun, transferRef } from "./stages.ts";
import { VARIANTS } from "./variants.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What is known of a party's model before anything runs: enough to check that shards and adapters belong to it. */
export const partyPlan = z.strictObject({
  id: z.string(),
  tokenizerHash: sha256,
  /** over the tokenizer and the roles of its tokens: what vocabulary maps are known by */
  vocabularyHash: sha256,
  configHash: sha256,
  /** over the weight files' names, sizes and samples of their bytes: cheap, and another model's differs */
  weightsFingerprint: sha256,
  vocabularySize: z.int().min(1),
  contextTokens: z.int().min(1),
});

/** The machine of a plan of version 1: every round was the run's own, and as the first one. */
const firstMachine = z.strictObject({
  run: z.string(),
  round: z.literal(1),
  clients: z.array(partyRef),
  parties: z.array(partyRef),
  maps: z.array(z.unknown()),
  toServer: z.array(transferRef),
  toClients: z.array(transferRef),
  baselines: z.array(z.unknown()),
  aggregation: z.string(),
});
const firstPlan = z.looseObject({ version: z.literal(1), machine: firstMachine });

/** A plan of version 1 as one of version 2, so that a run which an older program has planned can be told of, and goes on. */
function fromFirstVersion(value: unknown): unknown {
  const found = firstPlan.safeParse(value);
  if (!found.success) return value;
  const { run, round, maps, baselines, aggregation, clients, parties, toServer, toClients } = found.data.machine;
  const members = {
    clients,
    parties,
    toServer: toServer.map(({ source, shard }) => ({ source, shard })),
    toClients: toClients.map(({ target, shard }) => ({ target, shard })),
  };
  const first = { run, round, direction: "both", aggregation, begun: false, members };
  return { ...found.data, version: 2, variantOf: null, machine: { run, maps, baselines, variants: [], first } };
}

const secondPlan = z.strictObject({
  version: z.literal(2),
  /** the run's name, or a variant's id */
  run: z.string(),
  /** of a variant: whose it is, where what both have in common lies, and which one */
  variantOf: z.strictObject({ run: z.string(), variant: z.enum(VARIANTS) }).nullable(),
  /** of the run.yaml that was uploaded, also in a variant */
  specHash: sha256,
  /** what the rounds follow: in a variant what was derived of the run's, whose name it bears all the same */
  spec: runSpec,
  parties: z.array(partyPlan),
  public: z.strictObject({
    key: z.string(),
    hash: sha256,
    samples: z.int(),
    /** samples that stood in the public data more than once and were taken once */
    duplicates: z.int(),
    shards: z.int(),
    answerBytes: z.int(),
  }),
  evaluation: z.array(z.strictObject({ name: z.string(), key: z.string().nullable(), hash: sha256.nullable() })),
  machine: plannedRun,
});

/**
 * plan.json: the checked spec, what plan-run found, and what the machine will do. Written once, read by every stage. One of version
 * 1 is read as what it would be today.
 */
export const plan = z.preprocess(fromFirstVersion, secondPlan);
export type Plan = z.infer<typeof plan>;
export type PartyPlan = z.infer<typeof partyPlan>;
