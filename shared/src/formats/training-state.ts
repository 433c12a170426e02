import { InvalidInputError } from "../core/errors.ts";
import { parseCount, parseHash, type Refuse, refuseWith, takeMetadata, takeTensors } from "./named-tensors.ts";
import { parseSafetensorsHeader, readSafetensors, writeSafetensors } from "./safetensors.ts";

/** Everything that training needs to go on where it was: the optimizer's state beside the values that it trains. N trained values. */
export interface TrainingState {
  /** SHA-256 of the settings, samples and knowledge that it was made with */
  belongsTo: string;
  /** optimizer steps that are done */
  step: number;
  /** [N] */
  values: Float32Array;
  /** [N] AdamW's first moment */
  mean: Float32Array;
  /** [N] AdamW's second moment, never negative */
  variance: Float32Array;
  /** mean loss of each epoch that is done */
  lossByEpoch: number[];
  /** of the epoch under way: its steps' losses, each times the step's answer tokens, and those tokens */
  epoch: { weightedLoss: number; answers: number };
  /** text of whoever saves it, for whoever takes it up */
  note: string;
}

const FORMAT = { format: "fedmkt.training-state", version: "1", keys: ["belongs_to", "step", "note"] } as const;
const DTYPES = { values: "F32", mean: "F32", variance: "F32", loss_by_epoch: "F64", epoch: "F64" } as const;

/** What a run's rounds and epochs can never reach; it keeps a broken number from being counted to. */
const MAX_STEPS = 2 ** 40;
/** The outcome of some ten thousand training phases. */
const MAX_NOTE_CHARACTERS = 1024 * 1024;
/** The note as JSON, six bytes for a control character, and what else there is. */
const MAX_HEADER_BYTES = 6 * MAX_NOTE_CHARACTERS + 64 * 1024;

export function writeTrainingState(state: TrainingState): Uint8Array {
  const { belongsTo, step, values, mean, variance, lossByEpoch, epoch, note } = state;
  return writeSafetensors(
    {
      values: { dtype: "F32", shape: [values.length], data: values },
      mean: { dtype: "F32", shape: [mean.length], data: mean },
      variance: { dtype: "F32", shape: [variance.length], data: variance },
      loss_by_epoch: { dtype: "F64", shape: [lossByEpoch.length], data: Float64Array.from(lossByEpoch) },
      epoch: { dtype: "F64", shape: [2], data: Float64Array.of(epoch.weightedLoss, epoch.answers) },
    },
    { format: FORMAT.format, version: FORMAT.version, belongs_to: belongsTo, step: String(step), note },
  );
}

/**
 * Reads what {@link writeTrainingState} wrote, and believes nothing of it: shapes, lengths and numbers are checked.
 * @param what - the file as errors name it
 * @throws InvalidInputError `CHECKPOINT_INVALID`
 */
export function readTrainingState(bytes: Uint8Array, what: string): TrainingState {
  const refuse = refuseWith("CHECKPOINT_INVALID", what);
  const { tensors, metadata } = asCheckpoint(() => readSafetensors(bytes, what, MAX_HEADER_BYTES));
  const found = takeTensors(tensors, DTYPES, refuse);
  const { belongsTo, step, note } = readMetadata(metadata, refuse);
  for (const name of ["mean", "variance"] as const)
    if (found[name].data.length !== found.values.data.length)
      throw refuse(
        `${name}: expected as many numbers as values, ${found.values.data.length}, got ${found[name].data.length}`,
      );
  for (const name of Object.keys(DTYPES) as (keyof typeof DTYPES)[]) checkFinite(found[name].data, name, refuse);
  const negative = found.variance.data.findIndex((value) => value < 0);
  if (negative >= 0)
    throw refuse(`variance: expected no negative number, got ${found.variance.data[negative]} at ${negative}`);
  if (found.epoch.data.length !== 2) throw refuse(`epoch: expected 2 numbers, got ${found.epoch.data.length}`);
  const [weightedLoss, answers] = found.epoch.data;
  if (!Number.isSafeInteger(answers) || answers < 0)
    throw refuse(`epoch: expected a whole number of answer tokens, got ${answers}`);
  return {
    belongsTo,
    step,
    note,
    values: found.values.data,
    mean: found.mean.data,
    variance: found.variance.data,
    lossByEpoch: [...found.loss_by_epoch.data],
    epoch: { weightedLoss, answers },
  };
}

/** The note alone, from the header. @throws InvalidInputError as {@link readTrainingState} */
export function readTrainingNote(bytes: Uint8Array, what: string): string {
  return readHeader(bytes, what).note;
}

/** The number of steps that are done, from the header. @throws InvalidInputError as {@link readTrainingState} */
export function readTrainingStep(bytes: Uint8Array, what: string): number {
  return readHeader(bytes, what).step;
}

function readHeader(bytes: Uint8Array, what: string) {
  const { metadata } = asCheckpoint(() => parseSafetensorsHeader(bytes, bytes.length, what, MAX_HEADER_BYTES));
  return readMetadata(metadata, refuseWith("CHECKPOINT_INVALID", what));
}

/** To whoever resumes training it is all one why a file is none. */
function asCheckpoint<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof InvalidInputError)) throw cause;
    throw new InvalidInputError("CHECKPOINT_INVALID", cause.message, { cause });
  }
}

function readMetadata(metadata: Record<string, string>, refuse: Refuse) {
  const { belongs_to, step, note } = takeMetadata(metadata, FORMAT, refuse);
  if (note.length > MAX_NOTE_CHARACTERS)
    throw refuse(`note: expected at most ${MAX_NOTE_CHARACTERS} characters, got ${note.length}`);
  return {
    belongsTo: parseHash(belongs_to, "belongs_to", refuse),
    step: parseCount(step, "step", { least: 0, most: MAX_STEPS }, refuse),
    note,
  };
}

function checkFinite(data: Float32Array | Float64Array, name: string, refuse: Refuse): void {
  for (let at = 0; at < data.length; at++)
    if (!Number.isFinite(data[at])) throw refuse(`${name}: expected finite numbers, got ${data[at]} at ${at}`);
}
