import type { Plan } from "../contracts/plan.ts";
import type { EvaluationSet } from "../contracts/run-spec.ts";
import { metricsOf, USUAL_ANSWER_TOKENS } from "../contracts/score-metrics.ts";
import type { Score } from "../contracts/summary.ts";
import { InvalidInputError } from "../core/errors.ts";
import { multipleChoiceAccuracy } from "../core/evaluation/multiple-choice.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import type { Sample } from "../core/samples/sample.ts";
import { readQuestions } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import { evaluateGeneration } from "./evaluate-model.ts";
import { GREEDY } from "./generate-text.ts";
import type { OpenParty } from "./open-party.ts";
import { readHeldOutSet, readPromptSet, readQuestionSet } from "./prepare-samples.ts";
import { loadSamples, MAX_SET_BYTES } from "./public-set.ts";
import { countFirstChoices, scoreChoices, scoreTexts, totalLoss } from "./score-samples.ts";
import type { RunningJob } from "./with-job.ts";

/** Scores a party on every held-out set it may see: shared sets, its own, and in a simulation everybody's. */
export async function scoreParty({ deps, plan, identity, open }: RunningJob, variant: string): Promise<Score[]> {
  const visible = plan.spec.evaluation.filter(
    (set) => set.owner === undefined || set.owner === open.party || plan.spec.simulation,
  );
  const found: Score[] = [];
  for (const [index, set] of visible.entries()) {
    const values = await measure(deps, plan, set, open);
    for (const metric of new Set(set.metrics ?? metricsOf(set.task, "usual")))
      found.push({
        party: open.party,
        set: set.name,
        metric,
        variant,
        round: identity.round,
        value: values[metric]!,
      });
    deps.progress({ ...identity, phase: "scoring", step: index + 1, steps: visible.length });
  }
  return found;
}

type Values = Partial<Record<Score["metric"], number>>;

async function measure(deps: WorkerDependencies, plan: Plan, set: EvaluationSet, open: OpenParty): Promise<Values> {
  if (set.task === "multiple-choice") return accuracies(open, await questionsOf(deps, plan, set));
  const samples = await samplesOf(deps, plan, set);
  if (set.task === "generation") return answers(open, samples, set);
  return { ...(await losses(open, samples)), ...(await firstChoices(open, samples, set)) };
}

/** Loss of the whole set: all answer nats over all answer bytes, in bits, and over all answer tokens. */
async function losses(open: OpenParty, samples: readonly Sample[]): Promise<Values> {
  const { nats, tokens, bytes } = totalLoss(await scoreTexts(open, samples, open.training.batchSize));
  return { "bits-per-byte": bitsPerByte(nats, bytes), "nats-per-token": nats / tokens };
}

/** Reads the set a second time, so only where it is asked for. */
async function firstChoices(open: OpenParty, samples: readonly Sample[], { metrics }: EvaluationSet): Promise<Values> {
  if (!metrics?.includes("token-accuracy")) return {};
  const { right, tokens } = await countFirstChoices(open, samples, open.training.batchSize);
  return { "token-accuracy": right / tokens };
}

async function accuracies(open: OpenParty, questions: readonly MultipleChoice[]): Promise<Values> {
  const scored = await scoreChoices(open, questions, open.training.batchSize);
  const { accuracy, accuracyByBytes, accuracyByCharacters } = multipleChoiceAccuracy(questions, scored);
  return { accuracy, "accuracy-by-length": accuracyByBytes, "accuracy-by-characters": accuracyByCharacters };
}

async function answers(
  open: OpenParty,
  samples: readonly Sample[],
  { maxTokens = USUAL_ANSWER_TOKENS, stop }: EvaluationSet,
): Promise<Values> {
  const { metrics } = await evaluateGeneration(open, samples, {
    ...GREEDY,
    maxTokens,
    stop: stop === undefined ? [] : [stop],
  });
  return { "rouge-l": metrics.rougeL, "exact-match": metrics.exactMatch };
}

async function samplesOf(deps: WorkerDependencies, plan: Plan, set: EvaluationSet): Promise<Sample[]> {
  const planned = plannedSet(plan, set);
  if (planned.key !== null) return loadSamples(deps, planned.key, planned.hash!);
  const read = set.task === "generation" ? readPromptSet : readHeldOutSet;
  return read(deps, set.data, plan.spec.sampleBytes, `evaluation ${set.name}`);
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
