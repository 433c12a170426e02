import { identifyTraining } from "../formats/identify-training.ts";
import { takeUpTraining } from "../formats/take-up-training.ts";
import { writeTrainingState } from "../formats/training-state.ts";
import { type AdamWMoments, freshMoments } from "./optimizer/adamw.ts";
import type { Trainee, TrainInput, TrainingRecord } from "./trainee.ts";

/** How far training has come: everything that is written down, beside the trained values themselves. */
export interface TrainingCourse {
  moments: AdamWMoments;
  lossByEpoch: number[];
  /** of the epoch under way */
  sums: { weightedLoss: number; answers: number };
  /** Takes the sums as the epoch's loss. */
  endEpoch(): void;
  /** Writes the course down where that is due. */
  pause(): Promise<void>;
}

/**
 * The beginning, or where a record left off: then the trained values are put back too.
 * @throws InvalidInputError `CHECKPOINT_FOREIGN` where the record is of another training, `CHECKPOINT_INVALID` where it is broken
 */
export function openCourse(
  trainee: Trainee,
  options: TrainInput,
  stepsPerEpoch: number,
  record: TrainingRecord | null,
): TrainingCourse {
  const belongsTo = record ? identifyTraining(options, trainee) : "";
  const resumed = record?.resume
    ? takeUpTraining(record.resume, { belongsTo, values: trainee.values.length, stepsPerEpoch, epochs: options.epochs })
    : null;
  const moments = resumed
    ? { mean: resumed.mean.slice(), variance: resumed.variance.slice(), step: resumed.step }
    : freshMoments(trainee.values.length);
  const lossByEpoch = resumed?.lossByEpoch ?? [];
  const sums = resumed?.epoch ?? { weightedLoss: 0, answers: 0 };
  if (resumed) trainee.values.set(resumed.values);
  return {
    moments,
    lossByEpoch,
    sums,
    endEpoch() {
      lossByEpoch.push(sums.answers === 0 ? 0 : sums.weightedLoss / sums.answers);
      sums.weightedLoss = 0;
      sums.answers = 0;
    },
    async pause() {
      if (record === null || !(await record.isDue(moments.step))) return;
      const { mean, variance, step } = moments;
      const { values } = trainee;
      const { note } = record;
      await record.save(
        writeTrainingState({ belongsTo, step, values, mean, variance, lossByEpoch, epoch: sums, note }),
      );
    },
  };
}
