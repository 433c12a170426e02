import type { RegistryEntry } from "../contracts/registry-entry.ts";

/** Where an entry of the registry lies. */
export interface ListedEntry {
  /** names it in messages: a key, or a path below the folder of runs */
  place: string;
  /** another one once the entry, or what is seen of its files without reading them, has changed */
  version: string;
  /** of whom and of which run it must be, by its place; run is null where the place does not tell */
  party: string;
  run: string | null;
}

/** What the runs have published. One contract suite runs on every adapter. */
export interface Registry {
  /**
   * @param party - lists only this party's entries; null: all
   * @param signal - gives it up
   * @throws InvalidInputError `REGISTRY_TOO_LARGE`, and as the place refuses; TransientError
   */
  list(party: string | null, signal: AbortSignal): Promise<ListedEntry[]>;
  /**
   * The entry's bytes.
   * @param signal - gives it up
   * @throws InvalidInputError where it is gone or too long, TransientError
   */
  read(entry: ListedEntry, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * Puts an adapter's files into a folder of this machine. Their bytes are not looked at.
   * @param signal - gives it up
   * @throws InvalidInputError where one is missing or not as long as the entry says, TransientError
   */
  fetch(entry: ListedEntry, adapter: RegistryEntry["adapter"], folder: string, signal: AbortSignal): Promise<void>;
}

/** Folders of this machine for adapters of a registry while they are served. */
export interface AdapterFolders {
  /** A new, empty one. @param name - letters, digits and `- @ # .` */
  make(name: string): Promise<string>;
  /** Takes a folder away with all that is in it; none is no error. */
  remove(folder: string): Promise<void>;
}
