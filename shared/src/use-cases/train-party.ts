import type { Plan } from "../contracts/plan.ts";
import { deriveSeed } from "../core/numeric/seed.ts";
import type { Sample } from "../core/samples/sample.ts";
import type { SampleTarget } from "../ports/engine.ts";
import type { WorkerDependencies } from "./dependencies.ts";
import type { JobIdentity } from "./job-outputs.ts";
import type { OpenParty } from "./open-party.ts";

/** What a training phase reports: its steps and the mean loss of its last epoch, nats a token. */
export interface TrainingOutcome {
  steps: number;
  loss: number;
}

/** Fine-tunes on the private set's labels, `privateEpochs` times. */
export function trainOnPrivate(
  deps: WorkerDependencies,
  plan: Plan,
  open: OpenParty,
  samples: readonly Sample[],
  identity: JobIdentity,
): Promise<TrainingOutcome> {
  return train(deps, plan, open, samples, identity, "private", open.training.privateEpochs, null);
}

/** Knowledge selected for a party: a target for each public sample, null where it learns from the labels alone. */
export interface SelectedKnowledge {
  targets: (SampleTarget | null)[];
  partitions: Int32Array[];
}

/** Trains on the public set, `publicEpochs` times: on λ·CE + (1−λ)·KD with knowledge, else on the labels alone. */
export function trainOnPublic(
  deps: WorkerDependencies,
  plan: Plan,
  open: OpenParty,
  samples: readonly Sample[],
  identity: JobIdentity,
  knowledge: SelectedKnowledge | null,
): Promise<TrainingOutcome> {
  return train(deps, plan, open, samples, identity, "public", open.training.publicEpochs, knowledge);
}

async function train(
  deps: WorkerDependencies,
  plan: Plan,
  open: OpenParty,
  samples: readonly Sample[],
  identity: JobIdentity,
  set: "private" | "public",
  epochs: number,
  knowledge: SelectedKnowledge | null,
): Promise<TrainingOutcome> {
  if (epochs === 0 || samples.length === 0) return { steps: 0, loss: 0 };
  const { lambda, temperature } = plan.spec.distillation;
  const result = await open.model.train({
    samples: samples.map(open.encode),
    ...(knowledge ?? {}),
    lambda: knowledge ? lambda : 1,
    temperature,
    epochs,
    training: open.training,
    // the same order with and without knowledge, so that a run and its baselines differ in nothing else
    seed: deriveSeed(plan.spec.seed, "order", set, open.party, identity.round),
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
}
