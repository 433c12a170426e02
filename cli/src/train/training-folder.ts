import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { encodeJson, parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import {
  type TrainingOrigin,
  type TrainingProgress,
  type TrainingRecord,
  trainingProgress,
} from "@fedmkt/shared/contracts/training-record.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { isLocked, LOCK_FILE, lockFolder } from "../folder-lock.ts";
import { readWhole, writeWhole } from "../large-file.ts";

const CHECKPOINT = "checkpoint";
const STATE = "state.safetensors";
const PROGRESS = "progress.json";
/** What makes the folder an adapter's or a model's: written last, so that the folder is one whole or not at all. */
const COMMITTING = ["adapter_config.json", "config.json"];

/** What a training under way has left: what it was made with, how far it came. */
export interface FoundTraining {
  progress: TrainingProgress;
  /** null where the first checkpoint was not whole yet */
  state: Uint8Array | null;
}

/** The folder that a training writes its result to, and its checkpoints meanwhile. Held against other processes until released. */
export class TrainingFolder {
  readonly #folder: string;
  readonly #unlock: () => void;
  readonly #madeHere: boolean;
  #begunHere = false;

  private constructor(folder: string, unlock: () => void, madeHere: boolean) {
    this.#folder = folder;
    this.#unlock = unlock;
    this.#madeHere = madeHere;
  }

  /**
   * @param folder - absolute; made where there is none
   * @param what - the folder as errors name it
   * @param resume - whether what an earlier training left there is gone on with; else the folder must be new or empty
   * @throws InvalidInputError `FOLDER_IN_USE`, `BAD_ARGUMENT`, `ACCESS_DENIED`
   */
  static open(folder: string, what: string, resume: boolean): TrainingFolder {
    const place = statSync(folder, { throwIfNoEntry: false });
    if (place && !place.isDirectory())
      throw new InvalidInputError("BAD_ARGUMENT", `fedmkt train: --out: expected a folder, ${what} is a file`);
    const names = place ? readdirSync(folder).filter((name) => name !== LOCK_FILE) : [];
    const isOurs = names.includes(CHECKPOINT) || COMMITTING.some((name) => names.includes(name));
    // "go on with --resume" would be no help where the training is still going on
    if (isOurs && isLocked(folder)) lockFolder(folder)();
    if (names.length > 0 && !(resume && isOurs))
      throw new InvalidInputError(
        "FOLDER_IN_USE",
        names.includes(CHECKPOINT)
          ? `${what}: holds a training that was not finished: go on with --resume, or give another --out`
          : `${what}: expected a new or empty folder, got one with ${names.slice(0, 3).join(", ")}`,
      );
    return new TrainingFolder(folder, lockFolder(folder), place === undefined);
  }

  /** Lets the folder go; one that was made for this and holds nothing is taken away. */
  release(): void {
    this.#unlock();
    if (this.#madeHere && readdirSync(this.#folder).length === 0) rmdirSync(this.#folder);
  }

  /** Takes away what this process began and has no state of: a mistake that is corrected may be tried again in the same folder. */
  forget(): void {
    const checkpoint = join(this.#folder, CHECKPOINT);
    if (this.#begunHere && !existsSync(join(checkpoint, STATE))) rmSync(checkpoint, { recursive: true, force: true });
  }

  /** Whether a training has written its result here already. */
  get isFinished(): boolean {
    return COMMITTING.some((name) => existsSync(join(this.#folder, name)));
  }

  /**
   * What an earlier process left; null: nothing.
   * @throws InvalidInputError `CHECKPOINT_FOREIGN` naming what has changed since; `DOCUMENT_INVALID`
   */
  find(origin: TrainingOrigin, what: string): FoundTraining | null {
    const file = join(this.#folder, CHECKPOINT, PROGRESS);
    if (!existsSync(file)) return null;
    const progress = parseJson(readWhole(file), `${what}/${CHECKPOINT}/${PROGRESS}`, trainingProgress);
    const names = new Set([...Object.keys(origin), ...Object.keys(progress.origin)]);
    const changed = [...names].flatMap((name) => differences(name, progress.origin[name], origin[name]));
    if (changed.length > 0)
      throw new InvalidInputError(
        "CHECKPOINT_FOREIGN",
        `${what}: its checkpoint is of another training; not as then: ${changed.join(", ")}; go on with what it was, or give another --out`,
      );
    const state = join(this.#folder, CHECKPOINT, STATE);
    return { progress, state: existsSync(state) ? readWhole(state) : null };
  }

  /** The record first: of what it has more than the state, nothing is believed. */
  save(origin: TrainingOrigin, record: TrainingRecord, state: Uint8Array | null): void {
    const folder = join(this.#folder, CHECKPOINT);
    if (!existsSync(folder)) this.#begunHere = true;
    mkdirSync(folder, { recursive: true });
    writeWhole(join(folder, PROGRESS), encodeJson({ version: 1, origin, record } satisfies TrainingProgress));
    if (state !== null) writeWhole(join(folder, STATE), state);
  }

  /** Writes the result, the file that makes it one last, and takes the checkpoint away. @param files - by name */
  commit(files: Readonly<Record<string, Uint8Array>>): void {
    const isLast = (name: string) => (COMMITTING.includes(name) ? 1 : 0);
    for (const name of Object.keys(files).sort((a, b) => isLast(a) - isLast(b)))
      writeWhole(join(this.#folder, name), files[name]);
    rmSync(join(this.#folder, CHECKPOINT), { recursive: true, force: true });
  }
}

/** What of a value is not as it was then, each by its path: of settings those that were changed, not all of them. */
function differences(path: string, then: unknown, now: unknown): string[] {
  if (isObject(then) && isObject(now))
    return [...new Set([...Object.keys(then), ...Object.keys(now)])].flatMap((key) =>
      differences(`${path}.${key}`, then[key], now[key]),
    );
  return write(then) === write(now) ? [] : [`${path} (then ${write(then)}, now ${write(now)})`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function write(value: unknown): string {
  return value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);
}
