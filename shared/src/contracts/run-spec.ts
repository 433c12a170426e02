import { z } from "zod";
import { KNOWLEDGE_MEANS } from "../core/distillation/step-loss.ts";
import { COMPUTES } from "./compute.ts";
import { findContradictions } from "./contradictions.ts";
import { identifier, partyName, resourceName } from "./identifier.ts";
import { choicesInForce, METHOD_LAMBDAS, METHOD_NAMES, methodChoices } from "./methods.ts";
import { PAPER } from "./paper-defaults.ts";
import { SCORE_METRIC_NAMES, TASKS } from "./score-metrics.ts";
import { templateSpec } from "./template-spec.ts";
import { VARIANTS } from "./variants.ts";

/** Where a folder or file lies: `s3://bucket/key`, or a path on this machine, relative to the spec. */
const location = z.string().min(1).max(1024);

/** Which linear layers LoRA adapts: last parts of their names, as PEFT has them (q_proj, c_attn, query_key_value, …). */
const loraTargets = z
  .union([
    z.enum(["default", "peft-default", "all-linear"]),
    z
      .array(z.string().regex(/^\w{1,64}(\.\w{1,64}){0,15}$/))
      .min(1)
      .max(64),
  ])
  .default("default")
  .describe(
    "ends of the names of the layers that are adapted, such as q_proj or mlp.c_proj; default: FATE-LLM's choice for the model's type where it has one, else PEFT's; peft-default: PEFT's",
  );

export const loraSpec = z.strictObject({
  rank: z.int().min(1).max(256).default(PAPER.lora.rank),
  alpha: z.number().positive().default(PAPER.lora.alpha),
  targets: loraTargets,
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(PAPER.lora.dropout)
    .describe("share of an adapted layer's inputs that its adapter does not see in a training step; 0: it sees all"),
});

export const trainingSpec = z.strictObject({
  learningRate: z.number().positive().max(1).describe("peak learning rate; no default, since it varies by model"),
  privateEpochs: z
    .int()
    .min(0)
    .max(1000)
    .default(1)
    .describe("passes over the private set a round (clients); of the server: in the baseline centralized"),
  publicEpochs: z.int().min(0).max(1000).default(1).describe("passes over the public set a round"),
  batchSize: z.int().min(1).max(4096).default(PAPER.batchSize).describe("samples in one optimizer step"),
  microBatchSize: z.int().min(1).max(4096).optional().describe("samples in one forward pass; batchSize unless given"),
  schedule: z.enum(["constant", "linear", "cosine"]).default("cosine"),
  warmupRatio: z.number().min(0).max(1).default(PAPER.warmupRatio),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([...PAPER.betas]),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(PAPER.weightDecay),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(PAPER.clipNorm)
    .describe("largest global gradient norm; null: no clipping"),
  activationCheckpointing: z
    .enum(["off", "on", "auto"])
    .default("auto")
    .describe(
      "compute blocks a second time instead of keeping what they computed: less memory, more time, equal results",
    ),
  threads: z.int().min(1).max(256).default(1).describe("part of the spec, since sums depend on it"),
});

const dataSettings = z
  .strictObject({
    path: location,
    from: z.int().min(0).optional().describe("first sample taken, counted after cutting"),
    samples: z.int().min(1).optional().describe("how many samples are taken; all unless given"),
    every: z.int().min(1).optional().describe("takes every n-th sample, so that a slice spans the text"),
    collapseWhitespace: z.boolean().optional().describe("runs of white space become one space, before cutting"),
    keepCharactersOf: location
      .optional()
      .describe("a tokenizer.json; characters it cannot write are dropped, before cutting"),
    template: templateSpec.optional(),
    chatTemplate: location
      .optional()
      .describe(
        "a tokenizer_config.json; its chat template writes rows of messages, for all parties alike; without it, a line for each message",
      ),
  })
  .refine(({ template, chatTemplate }) => template === undefined || chatTemplate === undefined, {
    path: ["chatTemplate"],
    message: "expected one of template and chatTemplate",
  });

/** A JSONL file (`text`; `prompt`/`completion`; `instruction`/`input`/`output`; `messages`) or plain text cut into samples. */
export const dataSpec = z.union([location.transform((path): z.infer<typeof dataSettings> => ({ path })), dataSettings]);

/** Everything that has to be read for a data set. */
export function dataLocations({ path, keepCharactersOf, chatTemplate }: z.infer<typeof dataSettings>): string[] {
  return [path, keepCharactersOf, chatTemplate].filter((place) => place !== undefined);
}

/** Of one party; what is left out is `distillation.lambda`. */
const partyLambda = z
  .number()
  .min(0)
  .max(1)
  .optional()
  .describe("this party's distillation.lambda, which it overrides");

const validation = dataSpec
  .optional()
  .describe("held-out data of the party's own, by which its gate judges a round; never trained on");

const clientSpec = z.strictObject({
  id: partyName,
  model: location,
  private: dataSpec,
  validation,
  lambda: partyLambda,
  compute: z
    .enum(COMPUTES)
    .default("ecs")
    .describe("where its jobs run: in the coordinator's cluster, or at a worker of its own"),
  joinsAtRound: z.int().min(1).max(1000).default(1).describe("the first round it takes part in"),
  leavesAfterRound: z.int().min(1).max(1000).optional().describe("the last one; the run's last unless given"),
  lora: loraSpec.prefault({}),
  training: trainingSpec,
});

const serverSpec = z.strictObject({
  model: location,
  validation,
  lambda: partyLambda,
  lora: loraSpec.prefault({}),
  training: trainingSpec,
});

const evaluationSet = z.strictObject({
  name: identifier,
  data: dataSpec,
  task: z
    .enum(TASKS)
    .default("text")
    .describe("loss per byte, the likeliest of the given answers, or the answer that is written"),
  metrics: z
    .array(z.enum(SCORE_METRIC_NAMES))
    .min(1)
    .optional()
    .describe("of the task's; unless given, those that every run has"),
  maxTokens: z.int().min(1).max(4096).optional().describe("task generation: longest answer; 128 unless given"),
  stop: z.string().min(1).max(64).optional().describe("task generation: text that ends an answer, and is left out"),
  owner: partyName
    .optional()
    .describe("a client whose private held-out set this is; only it is scored, unless simulation"),
});

export const BASELINES = [
  "zero-shot",
  "standalone",
  "standalone+public",
  "public-only",
  "centralized",
  "no-distillation",
  ...VARIANTS,
] as const;
export type Baseline = (typeof BASELINES)[number];

const distillationSpec = z.strictObject({
  direction: z
    .enum(["both", "to-clients", "none"])
    .default("both")
    .describe("who learns: the server and the clients; the clients alone, from the server as it came; nobody"),
  lambda: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("weight of the public labels' loss; 1 − λ weighs the knowledge; the method's unless given"),
  finalLambda: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("λ of the last round: from round 1 on it moves there by equal amounts; it stays unless given"),
  knowledgeMean: z
    .enum(KNOWLEDGE_MEANS)
    .default("taught")
    .describe("what a step's loss to the knowledge is divided by: the positions that are taught, or all answer tokens"),
  temperature: z.number().positive().max(100).default(1),
  topK: z
    .int()
    .min(1)
    .max(4096)
    .default(128)
    .describe("entries of the next-token distribution that are kept (FATE-LLM: 128)"),
  topP: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe("of these, no more than it takes for their mass to reach this; 1: no cut"),
  topPerplexity: z
    .number()
    .positive()
    .max(4096)
    .optional()
    .describe(
      "of these, no more than so many times exp(entropy) of the position, rounded up; unless given, no such limit",
    ),
  minGap: z
    .number()
    .min(0)
    .max(1e6)
    .default(0)
    .describe("a source is learned from only where it is better by more than this, in lossMetric's unit"),
  maxGap: z
    .number()
    .positive()
    .max(1e6)
    .optional()
    .describe("and by at most this; unless given, however much better it is"),
  ...methodChoices,
});

/** run.yaml, version 1. Unknown keys are errors. */
export const runSpec = z
  .strictObject({
    $schema: z.string().optional(),
    name: resourceName.describe("the run's id"),
    method: z
      .enum(METHOD_NAMES)
      .default("product")
      .describe("a row of distillation's choices; single ones override it"),
    seed: z.int().min(0).max(0xffffffff).default(0),
    rounds: z.int().min(1).max(1000),
    simulation: z
      .boolean()
      .default(false)
      .describe("all parties' data are yours: every party is scored on every held-out set"),
    sampleBytes: z.int().min(8).max(65536).describe("longest sample in UTF-8 bytes; must fit every party's context"),
    samplesPerShard: z.int().min(1).max(65536).default(64),
    shardEncoding: z
      .enum(["packed", "plain"])
      .default("packed")
      .describe("how knowledge travels: entropy-coded, or as plain safetensors"),
    server: serverSpec,
    clients: z.array(clientSpec).min(1).max(256),
    public: z.array(dataSpec).min(1).describe("labelled data that every party holds, joined in this order"),
    evaluation: z.array(evaluationSet).default([]),
    distillation: distillationSpec.prefault({}),
    aggregation: z.enum(["none", "fedavg"]).default("none"),
    baselines: z.array(z.enum(BASELINES)).default([]),
    gate: z
      .strictObject({
        tolerance: z
          .number()
          .min(0)
          .max(1000)
          .default(0)
          .describe("bits per byte by which a round may make a party worse on its validation set and still count"),
      })
      .optional()
      .describe("a round that makes a party worse on its own validation set is undone for that party"),
    budget: z
      .strictObject({
        dollars: z.number().positive().describe("once the run's workers have cost this much, no further round begins"),
      })
      .optional(),
  })
  .superRefine((spec, context) => {
    for (const { path, message } of findContradictions(spec)) context.addIssue({ code: "custom", path, message });
  })
  // so that whoever reads a spec finds what is in force, wherever it was chosen
  .transform((spec) => ({
    ...spec,
    distillation: {
      ...spec.distillation,
      lambda: spec.distillation.lambda ?? METHOD_LAMBDAS[spec.method],
      ...choicesInForce(spec.method, spec.distillation),
    },
  }));

export type RunSpec = z.infer<typeof runSpec>;
export type RunSpecInput = z.input<typeof runSpec>;
export type DataSpec = z.infer<typeof dataSpec>;
export type LoraSpec = z.infer<typeof loraSpec>;
export type TrainingSpec = z.infer<typeof trainingSpec>;
export type DistillationSpec = RunSpec["distillation"];
export type EvaluationSet = RunSpec["evaluation"][number];

export interface PartySpec {
  model: string;
  lora: LoraSpec;
  training: TrainingSpec;
  lambda?: number;
  validation?: DataSpec;
}

/** The party's model, LoRA and training settings, whoever it is. */
export function partySpec(spec: RunSpec, party: string): PartySpec {
  if (party === "server") return spec.server;
  return spec.clients.find((client) => client.id === party)!;
}
