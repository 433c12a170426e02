import { type CheckpointNote, checkpointNote, type Finding } from "../contracts/checkpoint-note.ts";
import { CHECKPOINT, outputKey } from "../contracts/keys.ts";
import { FedmktError, InvalidInputError } from "../core/errors.ts";
import { sha256 } from "../formats/sha256.ts";
import { readTrainingNote } from "../formats/training-state.ts";
import type { TrainCheckpoint } from "../ports/engine.ts";
import type { WorkerDependencies } from "./dependencies.ts";

/** Values and two moments of the largest adapter, 4 GiB each, with some room for the header. */
const MAX_CHECKPOINT_BYTES = 12.25 * 1024 * 1024 * 1024;

/** Beside a checkpoint: the adapter that a round is undone to. */
const KEPT_ADAPTER = "kept-adapter.safetensors";

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
  readonly #folder: string;
  readonly #key: string;
  readonly #finished: CheckpointNote["finished"] = [];
  /** the phases that the found checkpoint tells of and that this attempt has not come to yet; the last is the one it was saved in */
  readonly #told: string[];
  #found: Found | null;
  #savedMs: number;
  #training = false;
  /** the adapter that was kept last, and whether it lies beside the checkpoint */
  #kept: { hash: string; bytes: Uint8Array; isStored: boolean } | null = null;

  private constructor(deps: Dependencies, folder: string, found: Found | null) {
    this.#deps = deps;
    this.#folder = folder;
    this.#key = `${folder}/${CHECKPOINT}`;
    this.#found = found;
    this.#told = found ? [...found.note.finished.map(({ phase }) => phase), found.note.phase] : [];
    this.#savedMs = deps.checkpoints.nowMs();
  }

  /** Begins anew, whatever was written down. */
  static fresh(deps: Dependencies, folder: string): JobCheckpoint {
    return new JobCheckpoint(deps, folder, null);
  }

  /** What an earlier attempt left. What cannot be read as a checkpoint is reported and left aside: it must not keep a job from being done. */
  static async find(deps: Dependencies, folder: string): Promise<JobCheckpoint> {
    const key = `${folder}/${CHECKPOINT}`;
    const bucket = deps.buckets.artefacts;
    if ((await deps.objects.head(bucket, key)) === null) return JobCheckpoint.fresh(deps, folder);
    try {
      const state = await deps.objects.get(bucket, key, MAX_CHECKPOINT_BYTES);
      return new JobCheckpoint(deps, folder, { state, note: parseNote(readTrainingNote(state, key), key) });
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
    const { isTold, earlier } = this.#next(name);
    if (earlier && !("steps" in earlier)) throw this.#misfit(`expected ${name} to be a training phase`);
    const outcome = earlier
      ? { steps: earlier.steps, loss: earlier.loss }
      : await this.#train(name, isTold ? this.#takeState() : null, train);
    this.#finished.push({ phase: name, ...outcome });
    return outcome;
  }

  /**
   * What is found of the model between two phases. What an earlier attempt found there stands: the model that it looked at is gone.
   * @throws InvalidInputError `CHECKPOINT_INVALID` where the checkpoint tells of other phases
   */
  async finding(name: string, find: () => Promise<Omit<Finding, "phase">>): Promise<Finding> {
    const { isTold, earlier } = this.#next(name);
    if (isTold && !(earlier && "bitsPerByte" in earlier)) throw this.#misfit(`expected ${name} to be a finding`);
    const found = earlier && "bitsPerByte" in earlier ? earlier : { phase: name, ...(await find()) };
    this.#finished.push(found);
    return found;
  }

  /** Keeps an adapter for later phases, instead of the one before; a checkpoint takes it along. @returns its SHA-256 */
  keep(bytes: Uint8Array): string {
    const hash = sha256(bytes);
    this.#kept = { hash, bytes, isStored: false };
    return hash;
  }

  /** The adapter that was kept, by this attempt or an earlier one. @throws InvalidInputError `CHECKPOINT_INVALID` where it is lost */
  async kept(hash: string): Promise<Uint8Array> {
    if (this.#kept?.hash === hash) return this.#kept.bytes;
    const { objects, buckets } = this.#deps;
    const key = outputKey(this.#folder, KEPT_ADAPTER, hash);
    if ((await objects.head(buckets.artefacts, key)) === null)
      throw this.#misfit(`expected ${key} beside it, found none`);
    const bytes = await objects.get(buckets.artefacts, key, MAX_CHECKPOINT_BYTES);
    if (sha256(bytes) !== hash) throw this.#misfit(`expected SHA-256 ${hash} of ${key}, found ${sha256(bytes)}`);
    this.#kept = { hash, bytes, isStored: true };
    return bytes;
  }

  /** Goes to what follows in the found checkpoint. earlier: what it came to, where it was over */
  #next(name: string) {
    const told = this.#told.shift();
    if (told !== undefined && told !== name) throw this.#misfit(`expected the phase ${name}, got ${told}`);
    const earlier = told === undefined ? undefined : this.#found?.note.finished[this.#finished.length];
    return { isTold: told !== undefined, earlier };
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
      await this.#storeKept();
      await objects.put(buckets.artefacts, this.#key, state);
    } catch (error) {
      warn("checkpoint could not be written", { checkpoint: this.#key, error });
    }
    this.#savedMs = checkpoints.nowMs();
    interruption.signal.throwIfAborted();
  }

  async #storeKept(): Promise<void> {
    if (this.#kept === null || this.#kept.isStored) return;
    const { objects, buckets } = this.#deps;
    await objects.put(buckets.artefacts, outputKey(this.#folder, KEPT_ADAPTER, this.#kept.hash), this.#kept.bytes);
    this.#kept.isStored = true;
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
