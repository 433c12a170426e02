import type { Plan } from "../contracts/plan.ts";
import type { EvaluationSet } from "../contracts/run-spec.ts";
import type { Score } from "../contracts/summary.ts";
import { InvalidInputError } from "../core/errors.ts";
import { multipleChoiceAccuracy } from "../core/evaluation/multiple-choice.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import type { Sample } from "../core/samples/sample.ts";
import { readQuestions } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import type { OpenParty } from "./open-party.ts";
import { readHeldOutSet, readQuestionSet } from "./prepare-samples.ts";
import { loadSamples, MAX_SET_BYTES } from "./public-set.ts";
import { scoreChoices, scoreTexts, totalLoss } from "./score-samples.ts";
import type { RunningJob } from "./with-job.ts";

/** Scores a party on every held-out set it may see: shared sets, its own, and in a simulation everybody's. */
export async function scoreParty({ deps, plan, identity, open }: RunningJob, variant: string): Promise<Score[]> {
  const visible = plan.spec.evaluation.filter(
    (set) => set.owner === undefined || set.owner === open.party || plan.spec.simulation,
  );
  const found: Score[] = [];
  for (const [index, set] of visible.entries()) {
    const values =
      set.task === "text"
        ? await bitsOfText(open, await samplesOf(deps, plan, set))
        : await accuracies(open, await questionsOf(deps, plan, set));
    for (const [metric, value] of Object.entries(values))
      found.push({
        party: open.party,
        set: set.name,
        metric: metric as Score["metric"],
        variant,
        round: identity.round,
        value,
      });
    deps.progress({ ...identity, phase: "scoring", step: index + 1, steps: visible.length });
  }
  return found;
}

/** Loss of the whole set: all answer nats over all answer bytes, in bits. */
async function bitsOfText(open: OpenParty, samples: readonly Sample[]): Promise<Record<string, number>> {
  const { nats, bytes } = totalLoss(await scoreTexts(open, samples, open.training.batchSize));
  return { "bits-per-byte": bitsPerByte(nats, bytes) };
}

async function accuracies(open: OpenParty, questions: readonly MultipleChoice[]): Promise<Record<string, number>> {
  const scored = await scoreChoices(open, questions, open.training.batchSize);
  const { accuracy, accuracyByBytes } = multipleChoiceAccuracy(questions, scored);
  return { accuracy, "accuracy-by-length": accuracyByBytes };
}

async function samplesOf(deps: WorkerDependencies, plan: Plan, set: EvaluationSet): Promise<Sample[]> {
  const planned = plannedSet(plan, set);
  if (planned.key !== null) return loadSamples(deps, planned.key, planned.hash!);
  return readHeldOutSet(deps, set.data, plan.spec.sampleBytes, `evaluation ${set.name}`);
}

async function questionsOf(deps: WorkerDependencies, plan: Plan, set: EvaluationSet): Promise<MultipleChoice[]> {
  const planned = plannedSet(plan, set);
  if (planned.key === null) return readQuestionSet(deps, set.data, plan.spec.sampleBytes, `evaluation ${set.name}`);
  const bytes = await deps.objects.get(deps.buckets.control, planned.key, MAX_SET_BYTES);
  if (sha256(bytes) !== planned.hash)
    throw new InvalidInputError(
      "DATASET_CHANGED",
      `${planned.key}: its SHA-256 is no longer ${planned.hash}, as the plan says`,
    );
  return readQuestions(bytes, planned.key);
}

function plannedSet(plan: Plan, set: EvaluationSet) {
  return plan.evaluation.find((candidate) => candidate.name === set.name)!;
}
