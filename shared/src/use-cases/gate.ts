import { InvalidInputError } from "../core/errors.ts";
import { isWorse } from "../core/evaluation/judge-round.ts";
import { finishedJob } from "./job-outputs.ts";
import { adapterBeforeRound } from "./party-outputs.ts";
import { type ValidationSet, validate } from "./validation-set.ts";
import type { RunningJob } from "./with-job.ts";

/** A party as it was when a round began: what a round that made it worse is undone to. */
export interface RoundBeginning {
  /** its loss on its validation set, bits per byte */
  bitsPerByte: number;
  /** its adapter where it is fresh; null: the job that made it has it */
  fresh: Uint8Array | null;
}

/** What a gate found, as the job's manifest tells it. */
export type GateMetrics = { validationBefore: number } & (
  | { undone: 0; validationAfter: number }
  /** the round made the party worse: its adapter is the one from before the round. Without a finite loss there is none to tell */
  | { undone: 1; validationAfter?: number }
);

/**
 * Looks at a party before it trains in a round. The open model is the one with which the round begins. Its loss is known where the job
 * that made it has a gate too; a fresh adapter, and an average, are scored.
 * @throws InvalidInputError as {@link scoreBeforeTraining}
 */
export async function lookBeforeRound(job: RunningJob, validation: ValidationSet): Promise<RoundBeginning> {
  const { deps, plan, identity, open } = job;
  const before = adapterBeforeRound(plan, identity);
  const fresh = before === null ? await open.model.adapter() : null;
  const known = before === null ? null : keptLoss((await finishedJob(deps, before))?.metrics ?? {});
  return { bitsPerByte: known ?? (await scoreBeforeTraining(job, validation)), fresh };
}

/** @throws InvalidInputError `MODEL_NOT_FINITE` where the party is broken before it has trained */
export async function scoreBeforeTraining(job: RunningJob, validation: ValidationSet): Promise<number> {
  const bitsPerByte = await scoreOf(job, validation);
  if (bitsPerByte !== null) return bitsPerByte;
  throw new InvalidInputError(
    "MODEL_NOT_FINITE",
    `${job.open.party}: expected a finite loss on its validation set before it trains: are the weights broken?`,
  );
}

/** Scores the party as the round has left it, and says whether it is to be undone. */
export async function judgeRound(job: RunningJob, validation: ValidationSet, before: number): Promise<GateMetrics> {
  const after = await scoreOf(job, validation);
  const { tolerance } = job.plan.spec.gate!;
  if (after === null) return { validationBefore: before, undone: 1 };
  return { validationBefore: before, validationAfter: after, undone: isWorse({ before, after, tolerance }) ? 1 : 0 };
}

/** The loss of the adapter that a gated job's manifest lists; null where the job had no gate. */
function keptLoss({ validationBefore, validationAfter, undone }: Readonly<Record<string, number>>): number | null {
  return (undone === 1 ? validationBefore : validationAfter) ?? null;
}

async function scoreOf({ deps, identity, open }: RunningJob, validation: ValidationSet): Promise<number | null> {
  const bitsPerByte = await validate(open, validation);
  deps.progress({ ...identity, phase: "scoring" });
  return bitsPerByte;
}
