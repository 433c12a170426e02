import { copyFile, open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { REGISTRY_ENTRY } from "../../contracts/keys.ts";
import { MAX_ENTRY_BYTES, type RegistryEntry } from "../../contracts/registry-entry.ts";
import { InvalidInputError, TransientError } from "../../core/errors.ts";
import type { ListedEntry, Registry } from "../../ports/registry.ts";

/** Looked at every few seconds: a thousand runs take some twenty milliseconds. */
const MAX_ENTRIES = 10_000;
/** Where an adapter changed without its entry, it shows in these. */
const SEEN_FILES = [REGISTRY_ENTRY, "adapter_config.json", "adapter_model.safetensors"];
const NOT_THERE = new Set(["ENOENT", "ENOTDIR"]);

/** A folder of runs, as `fedmkt run --local` and `fedmkt download` leave them: `<run>/adapters/<party>/registry-entry.json`. */
export class FolderRegistry implements Registry {
  readonly #runs: string;

  /** @param runs - such as `runs/`; it may hold other things too */
  constructor(runs: string) {
    this.#runs = path.resolve(runs);
  }

  async list(party: string | null): Promise<ListedEntry[]> {
    // no folder is no empty one: a volume that is not mounted must not take away what is served
    const runs = await this.#reading("", () => readdir(this.#runs));
    const entries: ListedEntry[] = [];
    for (const run of runs.sort())
      for (const name of party === null ? await namesIn(path.join(this.#runs, run, "adapters")) : [party]) {
        const place = path.join(run, "adapters", name, REGISTRY_ENTRY);
        const version = await versionOf(path.dirname(path.join(this.#runs, place)));
        if (version === null) continue;
        entries.push({ place, version, party: name, run: null });
        if (entries.length > MAX_ENTRIES)
          throw new InvalidInputError(
            "REGISTRY_TOO_LARGE",
            `${this.#runs}: expected at most ${MAX_ENTRIES} registry entries; name a party, or take old runs elsewhere`,
          );
      }
    return entries;
  }

  async read({ place }: ListedEntry): Promise<Uint8Array> {
    return this.#reading(place, async () => {
      await using file = await open(path.join(this.#runs, place), "r");
      const { size } = await file.stat();
      if (size > MAX_ENTRY_BYTES)
        throw new InvalidInputError(
          "FILE_TOO_LARGE",
          `${place}: expected at most ${MAX_ENTRY_BYTES} bytes, it has ${size}`,
        );
      return new Uint8Array(await file.readFile());
    });
  }

  async fetch({ place }: ListedEntry, { files }: RegistryEntry["adapter"], folder: string): Promise<void> {
    for (const { name, bytes } of files) {
      const beside = path.join(path.dirname(place), name);
      await this.#reading(beside, async () => {
        const found = await stat(path.join(this.#runs, beside));
        if (!found.isFile() || found.size !== bytes)
          throw new InvalidInputError(
            "OUTPUT_CHANGED",
            `${beside}: expected a file of ${bytes} bytes, found ${found.isFile() ? `one of ${found.size}` : "something else"}`,
          );
        await copyFile(path.join(this.#runs, beside), path.join(folder, name));
      });
    }
  }

  async #reading<T>(place: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (cause instanceof InvalidInputError) throw cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      const what = place === "" ? this.#runs : place;
      if (NOT_THERE.has(code ?? ""))
        throw new InvalidInputError(
          "FILE_MISSING",
          `${what}: expected ${place === "" ? "a folder of runs" : "a file"}, found none (${code})`,
          {
            cause,
          },
        );
      throw new TransientError("FILE_UNREADABLE", `${what}: ${message}`, { cause });
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

/** Null where there is no entry. */
async function versionOf(folder: string): Promise<string | null> {
  const seen = await Promise.all(
    SEEN_FILES.map((name) =>
      stat(path.join(folder, name)).then(
        ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
        () => null,
      ),
    ),
  );
  return seen[0] === null ? null : seen.join(" ");
}
