import type { Finding } from "../contracts/checkpoint-note.ts";
import { judgeRound, scoreBeforeTraining } from "./gate.ts";
import { readValidationSet, type TrainingSets, type ValidationSet } from "./validation-set.ts";
import type { RunningJob } from "./with-job.ts";

/**
 * Judges a baseline's rounds, all of which are one job, as the run's jobs judge theirs: else a run with a gate would be compared with
 * parties that had none. What it finds is part of the job's checkpoint, and so is the adapter that a round is undone to.
 */
export class BaselineGate {
  readonly #validation: ValidationSet;
  readonly #fresh: Uint8Array;
  /** the adapter that a round which made the party worse is undone to, and its loss */
  #kept: Finding;
  #undone = 0;

  private constructor(validation: ValidationSet, fresh: Uint8Array, kept: Finding) {
    this.#validation = validation;
    this.#fresh = fresh;
    this.#kept = kept;
  }

  /** To be called before the first round, with the fresh adapter. @returns null where the party's rounds are not judged */
  static async open(job: RunningJob, trainedOn: TrainingSets): Promise<BaselineGate | null> {
    const validation = await readValidationSet(job.deps, job.plan, job.identity.party, trainedOn);
    if (validation === null) return null;
    const fresh = await job.open.model.adapter();
    const kept = await job.checkpoint.finding("before the first round", async () => ({
      bitsPerByte: await scoreBeforeTraining(job, validation),
      undone: false,
      adapter: null,
    }));
    return new BaselineGate(validation, fresh, kept);
  }

  /** Judges a round that has ended. @returns the job to go on with: in place of a model that got worse it has the one from before */
  async judge(job: RunningJob): Promise<RunningJob> {
    const { checkpoint, identity } = job;
    let next = job;
    this.#kept = await checkpoint.finding(`round ${identity.round} gate`, async () => {
      const { bitsPerByte, adapter } = this.#kept;
      const { undone, validationAfter } = await judgeRound(job, this.#validation, bitsPerByte);
      if (undone) {
        next = { ...job, open: await job.reopen(adapter === null ? this.#fresh : await checkpoint.kept(adapter)) };
        return { bitsPerByte, undone: true, adapter };
      }
      return { bitsPerByte: validationAfter, undone: false, adapter: checkpoint.keep(await job.open.model.adapter()) };
    });
    if (this.#kept.undone) this.#undone++;
    return next;
  }

  /** For the job's manifest. */
  get metrics(): { validation: number; undoneRounds: number } {
    return { validation: this.#kept.bitsPerByte, undoneRounds: this.#undone };
  }
}
