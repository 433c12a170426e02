import { identifyTraining } from "../../formats/identify-training.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { takeUpTraining } from "../../formats/take-up-training.ts";
import { readTrainingState, writeTrainingState } from "../../formats/training-state.ts";
import type { TrainCheckpoint, TrainOptions } from "../../ports/engine.ts";
import { countValues, readTensors, takeTensor, UnexpectedTensors } from "./trained-tensors.ts";

type Trained = Parameters<typeof identifyTraining>[1];

const WHAT = "the trainer's state";

/** How training in another process is written down: the trainer hands out numbers, this side says what they belong to. */
export interface TrainingRecord {
  /** what the trainer takes up */
  resumed: { step: number; bytes: Uint8Array } | null;
  isDue(step: number): boolean;
  save(step: number, state: Uint8Array | undefined, values: number): Promise<void>;
}

/** @throws InvalidInputError `CHECKPOINT_FOREIGN`, `CHECKPOINT_INVALID` */
export function openTrainingRecord(
  checkpoint: TrainCheckpoint | null,
  options: TrainOptions,
  trained: Trained,
): TrainingRecord {
  if (!checkpoint) return { resumed: null, isDue: () => false, save: async () => {} };
  const belongsTo = identifyTraining(options, trained);
  return {
    resumed: checkpoint.resume ? takeUp(checkpoint.resume, belongsTo, options, trained) : null,
    isDue: (step) => checkpoint.isDue(step),
    async save(step, bytes, length) {
      const { tensors } = readTensors(bytes);
      const epochs = Math.floor(step / Math.ceil(options.samples.length / options.training.batchSize));
      const [weightedLoss, answers] = takeTensor(tensors, "epoch", "F64", 2);
      const state = writeTrainingState({
        belongsTo,
        step,
        values: takeTensor(tensors, "values", "F32", length),
        mean: takeTensor(tensors, "mean", "F32", length),
        variance: takeTensor(tensors, "variance", "F32", length),
        lossByEpoch: [...takeTensor(tensors, "loss_by_epoch", "F64", epochs)],
        epoch: { weightedLoss, answers },
        note: checkpoint.note,
      });
      try {
        readTrainingState(state, WHAT);
      } catch (error) {
        throw new UnexpectedTensors((error as Error).message);
      }
      await checkpoint.save(state);
    },
  };
}

function takeUp(bytes: Uint8Array, belongsTo: string, { samples, training, epochs }: TrainOptions, trained: Trained) {
  const stepsPerEpoch = Math.ceil(samples.length / training.batchSize);
  const state = takeUpTraining(bytes, { belongsTo, values: countValues(trained.entries), stepsPerEpoch, epochs });
  const { step, values, mean, variance, lossByEpoch, epoch } = state;
  return {
    step,
    bytes: writeSafetensors({
      values: { dtype: "F32", shape: [values.length], data: values },
      mean: { dtype: "F32", shape: [mean.length], data: mean },
      variance: { dtype: "F32", shape: [variance.length], data: variance },
      loss_by_epoch: { dtype: "F64", shape: [lossByEpoch.length], data: Float64Array.from(lossByEpoch) },
      epoch: { dtype: "F64", shape: [2], data: Float64Array.of(epoch.weightedLoss, epoch.answers) },
    }),
  };
}
