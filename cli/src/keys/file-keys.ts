import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type ApiKeys, apiKeys, MAX_API_KEYS_BYTES } from "@fedmkt/shared/contracts/api-keys.ts";
import { encodeJson, parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { KeyStore } from "./key-store.ts";

/** For the owner alone: hashes are no keys, but whose they are is nobody else's business. */
const OWNER_ONLY = 0o600;

/** Keys in a file, which the first one makes. A change is written beside it, and takes its place at once. */
export class FileKeys implements KeyStore {
  readonly place: string;
  readonly #file: string;

  /** @param shown - the file as it was given */
  constructor(file: string, shown: string) {
    this.#file = file;
    this.place = shown;
  }

  /** @throws InvalidInputError `FILE_TOO_LARGE`, `DOCUMENT_INVALID`, `ACCESS_DENIED` */
  async read(): Promise<ApiKeys> {
    const stats = statSync(this.#file, { throwIfNoEntry: false });
    if (stats === undefined) return { version: 1, keys: [] };
    if (stats.size > MAX_API_KEYS_BYTES)
      throw new InvalidInputError(
        "FILE_TOO_LARGE",
        `${this.place}: expected at most ${MAX_API_KEYS_BYTES} bytes, it has ${stats.size}`,
      );
    return parseJson(
      this.#attempt("read", () => readFileSync(this.#file)),
      this.place,
      apiKeys,
    );
  }

  async change(update: (keys: ApiKeys) => ApiKeys): Promise<void> {
    // made by one alone: it keeps others away until it is the file
    const next = `${this.#file}.next`;
    const opened = this.#attempt("write", () => openSync(next, "wx", OWNER_ONLY));
    try {
      try {
        const changed = encodeJson(apiKeys.parse(update(await this.read())));
        writeFileSync(opened, changed);
        fsyncSync(opened);
      } finally {
        closeSync(opened);
      }
      chmodSync(next, OWNER_ONLY);
      renameSync(next, this.#file);
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
  }

  #attempt<T>(what: "read" | "write", act: () => T): T {
    try {
      return act();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST")
        throw new InvalidInputError(
          "KEYS_IN_USE",
          `${this.place}: another fedmkt keys changes it; if there is none, delete ${this.place}.next`,
        );
      throw new InvalidInputError(
        "ACCESS_DENIED",
        `${this.place}: expected a file that this user may ${what} (${(cause as Error).message})`,
        { cause },
      );
    }
  }
}
