import { z } from "zod";
import { KNOWLEDGE_MEANS } from "../core/distillation/step-loss.ts";
import { METHOD_CHOICES } from "./methods.ts";
import { SCORE_METRIC_NAMES } from "./score-metrics.ts";

const share = z.number().min(0).max(1);

/** One score of one party on one held-out set. `variant` is "fedmkt" (with its round) or a baseline's name, with its round where it is a run of its own. */
export const score = z.strictObject({
  party: z.string(),
  set: z.string(),
  metric: z.enum(SCORE_METRIC_NAMES),
  variant: z.string(),
  /** rounds that had ended when it was taken; 0 for zero-shot */
  round: z.int().min(0),
  value: z.number(),
});

/** scores.json: what one evaluation or baseline measured. */
export const scores = z.array(score);

/** One direction of transfer in one round, summed over shards; shares are of what the name says, 0 where nothing was there. */
export const transfer = z.strictObject({
  round: z.int().min(1),
  source: z.string(),
  target: z.string(),
  targetPositions: z.int(),
  /** aligned positions / answer positions of the target */
  alignedShare: share,
  /** at aligned positions: probability that reached a target token or group, exactly equal tokens' part of it, and what mapped nowhere */
  keptMass: share,
  exactMass: share,
  unmappedMass: share,
  /** bytes of the source's knowledge and of its translation */
  bytes: z.int(),
  /** under selection token alone: positions at which the source gives the truth more than the target does / aligned positions */
  betterShare: share.optional(),
});

/**
 * Selection's outcome for one target in one round; losses in the unit of the run's lossMetric. Under `token` a source is better by
 * its advantage (docs/method.md), in the same unit.
 */
export const selectionCount = z.strictObject({
  round: z.int().min(1),
  target: z.string(),
  samples: z.int(),
  /** public samples by the source that won them */
  bySource: z.record(z.string(), z.int()),
  /** samples that the target itself won: under strict it learns nothing from them, else its own output */
  none: z.int(),
  /** by source: samples on which it was better than the target, whoever won */
  ahead: z.record(z.string(), z.int()),
  /** by source: samples on which it alone was */
  alone: z.record(z.string(), z.int()),
  /** share of pairs of sources that stand on the same side of the target, mean over samples; 1 where there is no pair */
  agreement: share,
  /** mean over samples of (target's loss − best source's loss); negative where the target is better */
  meanGap: z.number(),
  /** the least such gap, the quartiles and the greatest */
  gapQuartiles: z.array(z.number()).length(5),
  /** under token alone: what meanGap is under the other rules */
  meanLossGap: z.number().optional(),
  /** where minGap or maxGap is set: samples that nobody won though a source was better: by at most minGap; by more than maxGap */
  outOfBounds: z.strictObject({ near: z.int().min(0), far: z.int().min(0) }).optional(),
});

/** summary.json of one round, and of the run: everything the table and report.html show. No times, no paths: equal runs, equal bytes. */
export const roundSummary = z.strictObject({
  round: z.int().min(1),
  /** why no further round follows though the spec or a variant has more; null: it goes on, or this was the last */
  stopped: z.enum(["budget", "request"]).nullable(),
  scores: z.array(score),
  transfers: z.array(transfer),
  selections: z.array(selectionCount),
  training: z.array(
    z.strictObject({ round: z.int(), party: z.string(), stage: z.string(), steps: z.int(), loss: z.number() }),
  ),
  /** by party whose rounds are judged: its loss on its own validation set, bits per byte */
  gates: z
    .array(
      z.strictObject({
        round: z.int(),
        party: z.string(),
        /** of the adapter with which it began the round */
        before: z.number(),
        /** of the one that the round made; null: not finite */
        after: z.number().nullable(),
        /** whether that was worse by more than the tolerance, so that the party went on with the former */
        undone: z.boolean(),
      }),
    )
    .default([]),
});

export const SCENARIOS = ["heterogeneous", "homogeneous", "one-to-one", "one-way", "no transfer"] as const;

export const runSummary = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  specHash: z.string(),
  /** what the field calls a federation like this one; runs of older versions do not say */
  scenario: z.enum(SCENARIOS).optional(),
  method: z.string(),
  /** the choices in force, the method's or the spec's own */
  distillation: z.strictObject({
    direction: z.enum(["both", "to-clients", "none"]).default("both"),
    lambda: z.number(),
    finalLambda: z.number().optional(),
    knowledgeMean: z.enum(KNOWLEDGE_MEANS).default("taught"),
    temperature: z.number(),
    topK: z.int(),
    topP: z.number(),
    topPerplexity: z.number().optional(),
    minGap: z.number().optional(),
    maxGap: z.number().optional(),
    alignment: z.enum(METHOD_CHOICES.alignment),
    transfer: z.enum(METHOD_CHOICES.transfer),
    vocabularyMap: z.enum(METHOD_CHOICES.vocabularyMap),
    learn: z.enum(METHOD_CHOICES.learn),
    lossMetric: z.enum(METHOD_CHOICES.lossMetric),
    selection: z.enum(METHOD_CHOICES.selection),
    positions: z.enum(METHOD_CHOICES.positions),
  }),
  seed: z.int(),
  rounds: z.int(),
  simulation: z.boolean(),
  parties: z.array(z.strictObject({ id: z.string(), vocabularySize: z.int(), contextTokens: z.int() })),
  sets: z.array(z.strictObject({ name: z.string(), owner: z.string().nullable(), task: z.string() })),
  publicSamples: z.int(),
  baselines: z.array(z.string()),
  /** baselines that are runs of their own: how many of the rounds each was trained for, and why not for more */
  variants: z
    .array(
      z.strictObject({ name: z.string(), rounds: z.int().min(0), stopped: z.enum(["budget", "request"]).nullable() }),
    )
    .default([]),
  /** why the run ended before its last round, or after it and before its variants; null where it did neither */
  stopped: z.strictObject({ afterRound: z.int().min(1), reason: z.enum(["budget", "request"]) }).nullable(),
  scores: z.array(score),
  transfers: z.array(transfer),
  selections: z.array(selectionCount),
  training: roundSummary.shape.training,
  gates: roundSummary.shape.gates,
  adapters: z.array(z.strictObject({ party: z.string(), folder: z.string() })),
});
export type Scenario = (typeof SCENARIOS)[number];
export type Score = z.infer<typeof score>;
export type Transfer = z.infer<typeof transfer>;
export type SelectionCount = z.infer<typeof selectionCount>;
export type RoundSummary = z.infer<typeof roundSummary>;
export type RunSummary = z.infer<typeof runSummary>;
