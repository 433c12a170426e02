import type { Plan } from "../contracts/plan.ts";
import type { EvaluationSet } from "../contracts/run-spec.ts";
import type { Score } from "../contracts/summary.ts";
import type { EncodedText } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import { multipleChoiceAccuracy } from "../core/evaluation/multiple-choice.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import { identifySample, type Sample } from "../core/samples/sample.ts";
import { hashSample, readQuestions } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import type { OpenParty } from "./open-party.ts";
import { readHeldOutSet, readQuestionSet } from "./prepare-samples.ts";
import { loadSamples, MAX_SET_BYTES } from "./public-set.ts";
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
        ? { "bits-per-byte": await scoreText(open, await samplesOf(deps, plan, set)) }
        : await scoreChoices(open, await questionsOf(deps, plan, set));
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
async function scoreText(open: OpenParty, samples: readonly Sample[]): Promise<number> {
  const encoded = samples.map(open.encodeScored);
  const nats = await open.model.score(encoded, open.training.batchSize);
  const bytes = encoded.reduce((sum, text) => sum + text.answerBytes, 0);
  return bitsPerByte(
    nats.reduce((sum, value) => sum + value, 0),
    bytes,
  );
}

async function scoreChoices(open: OpenParty, questions: readonly MultipleChoice[]): Promise<Record<string, number>> {
  const encoded = questions.flatMap(({ prompt, answers, line }) =>
    answers.map((answer) => {
      const id = identifySample("completion", prompt, answer, hashSample);
      return withoutEnd(open.encodeScored({ id, prompt, answer, kind: "completion", line }));
    }),
  );
  const nats = await open.model.score(encoded, open.training.batchSize);
  const bytes = encoded.map((text) => text.answerBytes);
  const { accuracy, accuracyByLength } = multipleChoiceAccuracy(questions, nats, bytes);
  return { accuracy, "accuracy-by-length": accuracyByLength };
}

/** A choice is compared by its text alone: whether the model would stop after it is not asked. */
function withoutEnd({ ids, ends, answer, answerBytes }: EncodedText): EncodedText {
  return { ids: ids.subarray(0, -1), ends: ends.subarray(0, -1), answer: answer.subarray(0, -1), answerBytes };
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
