import { z } from "zod";
import { closestName } from "./closest-name.ts";
import { findTrainingContradictions } from "./contradictions.ts";
import { loraSpec, type TrainingSpec, trainingSpec } from "./run-spec.ts";
import { keysAt } from "./schema-keys.ts";
import { describeIssues, type SpecIssue } from "./spec-issues.ts";

/** How one model is fine-tuned on one data set: a party's `lora` and `training` of a run.yaml, without what belongs to rounds. */
export const trainSpec = z.strictObject({
  lora: loraSpec.nullable().prefault({}).describe("null: every weight is trained"),
  training: trainingSpec.omit({ privateEpochs: true, publicEpochs: true }),
  epochs: z.int().min(1).max(1000).default(1),
  seed: z.int().min(0).max(0xffffffff).default(0),
  sampleBytes: z
    .int()
    .min(8)
    .max(65536)
    .optional()
    .describe("longest sample in UTF-8 bytes; texts are cut to it, a longer prompt with its completion is an error"),
});
export type TrainSpec = z.infer<typeof trainSpec>;

/** @returns the settings with defaults filled in, or every mistake in them */
export function examineTrainSpec(value: unknown): { spec: TrainSpec } | { issues: SpecIssue[] } {
  const parsed = trainSpec.safeParse(value);
  const issues = parsed.success ? [] : describeIssues(parsed.error.issues, value).map(describeUnknownKey);
  issues.push(...findTrainingContradictions(value));
  return parsed.success && issues.length === 0 ? { spec: parsed.data } : { issues };
}

/** The settings as the engine takes them; passes over a data set are counted in `epochs`. */
export function engineTraining({ training }: TrainSpec): TrainingSpec {
  return { ...training, privateEpochs: 0, publicEpochs: 0 };
}

function describeUnknownKey(issue: SpecIssue): SpecIssue {
  if (issue.unknownKey === undefined) return issue;
  const siblings = keysAt(trainSpec, issue.path.slice(0, -1));
  const close = closestName(issue.unknownKey, siblings);
  const hint = close === null ? `expected one of ${siblings.join(", ")}` : `did you mean ${close}?`;
  return { ...issue, message: `unknown key; ${hint}` };
}
