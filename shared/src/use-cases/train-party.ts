import { partySpec } from "../contracts/run-spec.ts";
import { lambdaInRound } from "../core/distillation/lambda-in-round.ts";
import { deriveSeed } from "../core/numeric/seed.ts";
import type { Sample } from "../core/samples/sample.ts";
import type { SampleTarget } from "../ports/engine.ts";
import type { TrainingOutcome } from "./job-checkpoint.ts";
import type { RunningJob } from "./with-job.ts";

/** Fine-tunes on the private set's labels, `privateEpochs` times. */
export function trainOnPrivate(job: RunningJob, samples: readonly Sample[]): Promise<TrainingOutcome> {
  return train(job, samples, "private", job.open.training.privateEpochs, null);
}

/** Knowledge selected for a party: a target for each public sample, null where it learns from the labels alone. */
export interface SelectedKnowledge {
  targets: (SampleTarget | null)[];
  partitions: Int32Array[];
}

/** Trains on the public set, `publicEpochs` times: on λ·CE + (1−λ)·KD with knowledge, else on the labels alone. */
export function trainOnPublic(
  job: RunningJob,
  samples: readonly Sample[],
  knowledge: SelectedKnowledge | null,
): Promise<TrainingOutcome> {
  return train(job, samples, "public", job.open.training.publicEpochs, knowledge);
}

/** The party's own λ, or the run's, as it is in this round. */
function lambdaOf({ plan: { spec }, identity, open }: RunningJob): number {
  const { lambda, finalLambda } = spec.distillation;
  const first = partySpec(spec, open.party).lambda ?? lambda;
  return lambdaInRound({ first, last: finalLambda, rounds: spec.rounds }, identity.round);
}

async function train(
  job: RunningJob,
  samples: readonly Sample[],
  set: "private" | "public",
  epochs: number,
  knowledge: SelectedKnowledge | null,
): Promise<TrainingOutcome> {
  if (epochs === 0 || samples.length === 0) return { steps: 0, loss: 0 };
  const { deps, plan, identity, open } = job;
  const { temperature, knowledgeMean } = plan.spec.distillation;
  const lambda = knowledge ? lambdaOf(job) : 1;
  return job.checkpoint.phase(`round ${identity.round} ${set}`, async (checkpoint) => {
    const result = await open.model.train({
      samples: samples.map(open.encode),
      // without weight knowledge would change nothing but the rounding
      ...(knowledge && lambda < 1 ? knowledge : {}),
      lambda,
      temperature,
      knowledgeMean,
      epochs,
      training: open.training,
      // the same order with and without knowledge, so that a run and its baselines differ in nothing else
      seed: deriveSeed(plan.spec.seed, "order", set, open.party, identity.round),
      checkpoint,
      onProgress: (progress) =>
        deps.progress({
          ...identity,
          phase: "training",
          step: progress.step,
          steps: progress.steps,
          loss: progress.loss,
          tokensPerSecond: progress.tokensPerSecond,
        }),
    });
    return { steps: result.steps, loss: result.lossByEpoch.at(-1) ?? 0 };
  });
}
