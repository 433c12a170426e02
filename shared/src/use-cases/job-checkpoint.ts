import { type CheckpointNote, checkpointNote } from "../contracts/checkpoint-note.ts";
import { CHECKPOINT } from "../contracts/keys.ts";
import { FedmktError, InvalidInputError } from "../core/errors.ts";
import { readTrainingNote } from "../formats/training-state.ts";
import type { TrainCheckpoint } from "../ports/engine.ts";
import type { WorkerDependencies } from "./dependencies.ts";

/** Values and two moments of the largest adapter, 4 GiB each, with some room for the header. */
const MAX_CHECKPOINT_BYTES = 12.25 * 1024 * 1024 * 1024;

type Dependencies = Pick<WorkerDependencies, "objects" | "buckets" | "interruption" | "checkpoints" | "warn">;

/** What a training phase reports: its steps and the mean loss of its last epoch, nats a token. */
export interface TrainingOutcome {
  steps: number;
  loss: number;
}

interface Found {
  note: CheckpointNote;
  state: Uint8Array;
}

/**
 * A job's training, written down beside the job's outputs while it goes on, for whoever takes the job up. A job may train in
 * several phases one after the other: those that an earlier attempt finished are not trained again, since the state holds what
 * they made of the model.
 */
export class JobCheckpoint {
  readonly #deps: Dependencies;
  readonly #key: string;
  readonly #finished: CheckpointNote["finished"] = [];
  /** the phases that the found checkpoint tells of and that this attempt has not come to yet; the last is the one it was saved in */
  readonly #told: string[];
  #found: Found | null;
  #savedMs: number;
  #training = false;

  private constructor(deps: Dependencies, key: string, found: Found | null) {
    this.#deps = deps;
    this.#key = key;
    this.#found = found;
    this.#told = found ? [...found.note.finished.map(({ phase }) => phase), found.note.phase] : [];
    this.#savedMs = deps.checkpoints.nowMs();
  }

  /** Begins anew, whatever was written down. */
  static fresh(deps: Dependencies, folder: string): JobCheckpoint {
    return new JobCheckpoint(deps, `${folder}/${CHECKPOINT}`, null);
  }

  /** What an earlier attempt left. What cannot be read as a checkpoint is reported and left aside: it must not keep a job from being done. */
  static async find(deps: Dependencies, folder: string): Promise<JobCheckpoint> {
    const key = `${folder}/${CHECKPOINT}`;
    const bucket = deps.buckets.artefacts;
    if ((await deps.objects.head(bucket, key)) === null) return JobCheckpoint.fresh(deps, folder);
    try {
      const state = await deps.objects.get(bucket, key, MAX_CHECKPOINT_BYTES);
      return new JobCheckpoint(deps, key, { state, note: parseNote(readTrainingNote(state, key), key) });
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      deps.warn("checkpoint refused: the job begins anew", { checkpoint: key, code: error.code, error });
      return JobCheckpoint.fresh(deps, folder);
    }
  }

  /** Whether the job is in a training phase, which puts itself down when the job is interrupted. */
  get training(): boolean {
    return this.#training;
  }

  /**
   * Goes through one training phase, or past it where the earlier attempt finished it.
   * @throws InvalidInputError `CHECKPOINT_INVALID` where the checkpoint tells of other phases; the interruption's reason
   */
  async phase(
    name: string,
    train: (checkpoint: TrainCheckpoint) => Promise<TrainingOutcome>,
  ): Promise<TrainingOutcome> {
    const told = this.#told.shift();
    if (told !== undefined && told !== name) throw this.#misfit(`expected the phase ${name}, got ${told}`);
    const earlier = told === undefined ? undefined : this.#found?.note.finished[this.#finished.length];
    const outcome = earlier
      ? { steps: earlier.steps, loss: earlier.loss }
      : await this.#train(name, told === undefined ? null : this.#takeState(), train);
    this.#finished.push({ phase: name, ...outcome });
    return outcome;
  }

  /** To be called when all phases are over. @throws InvalidInputError `CHECKPOINT_INVALID` where the checkpoint tells of more */
  checkUsed(): void {
    if (this.#told.length > 0) throw this.#misfit(`expected no phase after these, got ${this.#told[0]}`);
  }

  /** Whether an error says that the found checkpoint is of no use, so that the job is to begin anew. */
  static refuses(error: unknown): error is FedmktError {
    return error instanceof FedmktError && (error.code === "CHECKPOINT_FOREIGN" || error.code === "CHECKPOINT_INVALID");
  }

  async #train(
    name: string,
    resume: Uint8Array | null,
    train: (checkpoint: TrainCheckpoint) => Promise<TrainingOutcome>,
  ): Promise<TrainingOutcome> {
    const { signal, hold } = this.#deps.interruption;
    const release = hold();
    this.#training = true;
    try {
      const outcome = await train({
        resume,
        note: JSON.stringify({ phase: name, finished: this.#finished } satisfies CheckpointNote),
        isDue: () => signal.aborted || this.#deps.checkpoints.nowMs() - this.#savedMs >= this.#deps.checkpoints.everyMs,
        save: (state) => this.#save(state),
      });
      signal.throwIfAborted();
      return outcome;
    } finally {
      this.#training = false;
      release();
    }
  }

  /** A state that cannot be stored costs work only if the machine is lost too: training goes on. */
  async #save(state: Uint8Array): Promise<void> {
    const { objects, buckets, interruption, checkpoints, warn } = this.#deps;
    try {
      await objects.put(buckets.artefacts, this.#key, state);
    } catch (error) {
      warn("checkpoint could not be written", { checkpoint: this.#key, error });
    }
    this.#savedMs = checkpoints.nowMs();
    interruption.signal.throwIfAborted();
  }

  /** The found state, which is large and needed once. */
  #takeState(): Uint8Array {
    const { state } = this.#found!;
    this.#found = null;
    return state;
  }

  #misfit(reason: string): InvalidInputError {
    return new InvalidInputError("CHECKPOINT_INVALID", `${this.#key}: ${reason}`);
  }
}

function parseNote(text: string, key: string): CheckpointNote {
  const refuse = (reason: string) => new InvalidInputError("CHECKPOINT_INVALID", `${key}: note: ${reason}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`expected JSON (${(error as Error).message})`);
  }
  const result = checkpointNote.safeParse(value);
  if (!result.success)
    throw refuse(`expected a phase and the finished ones before it: ${result.error.issues[0].message}`);
  return result.data;
}
