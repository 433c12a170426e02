import { InvalidInputError } from "../core/errors.ts";
import { readTrainingState, type TrainingState } from "./training-state.ts";

/** What a training's state must fit so that the training goes on from it. */
export interface ResumedTraining {
  /** the hash that `identifyTraining` gives */
  belongsTo: string;
  /** how many values are trained */
  values: number;
  stepsPerEpoch: number;
  epochs: number;
}

/** The file as errors name it. */
const WHAT = "the training's checkpoint";

/** @throws InvalidInputError `CHECKPOINT_FOREIGN` where it is of another training, `CHECKPOINT_INVALID` where it is broken */
export function takeUpTraining(bytes: Uint8Array, expected: ResumedTraining): TrainingState {
  const { belongsTo, values, stepsPerEpoch, epochs } = expected;
  const state = readTrainingState(bytes, WHAT);
  if (state.belongsTo !== belongsTo)
    throw new InvalidInputError(
      "CHECKPOINT_FOREIGN",
      `${WHAT}: expected one of the training ${belongsTo}, got one of ${state.belongsTo}`,
    );
  const refuse = (reason: string) => new InvalidInputError("CHECKPOINT_INVALID", `${WHAT}: ${reason}`);
  if (state.values.length !== values) throw refuse(`expected ${values} values, got ${state.values.length}`);
  if (state.step > stepsPerEpoch * epochs)
    throw refuse(`expected at most step ${stepsPerEpoch * epochs}, got ${state.step}`);
  const done = Math.floor(state.step / stepsPerEpoch);
  if (state.lossByEpoch.length !== done)
    throw refuse(`expected the losses of ${done} epochs at step ${state.step}, got ${state.lossByEpoch.length}`);
  return state;
}
