import { parseJson } from "../../contracts/json-document.ts";
import { type RegistryEntry, registryEntry } from "../../contracts/registry-entry.ts";
import { type FedmktError, InvalidInputError } from "../../core/errors.ts";
import { sha256 } from "../../formats/sha256.ts";
import type { ListedEntry, Registry } from "../../ports/registry.ts";

/** Entries that are read at the same time: at an endpoint's start all of a registry's are new. */
const READ_AT_ONCE = 8;

/** An entry as it was read. */
export interface ReadEntry {
  listed: ListedEntry;
  entry: RegistryEntry;
  /** equal for equal bytes, wherever they lie and however often they are written */
  identity: string;
}

/** An entry that cannot be read. */
export interface UnreadableEntry {
  listed: ListedEntry;
  error: InvalidInputError;
}

interface Place {
  /** of the entry that was read last; null: it could not be asked for */
  version: string | null;
  read: ReadEntry | null;
  unreadable: UnreadableEntry | null;
  /** what stood there before, for as long as somebody needs it */
  former: ReadEntry | null;
  missing: boolean;
}

/** What one look at the registry found. */
export interface RegistryView {
  entries: ReadEntry[];
  unreadable: UnreadableEntry[];
  /** why some entries were not read this time: what stood there counts until they are */
  failure: FedmktError | null;
}

/** What lies in a registry: each entry is read once a version. */
export class RegistryPlaces {
  readonly #registry: Registry;
  readonly #party: string | null;
  readonly #places = new Map<string, Place>();

  constructor(registry: Registry, party: string | null) {
    this.#registry = registry;
    this.#party = party;
  }

  /**
   * Looks again. What is missing counts as there until the next look misses it too: a folder that is replaced is not there for a moment.
   *
   * @param isServed - an entry of this identity is served: where another one takes its place and cannot be read or used, it goes on being served
   * @throws as {@link Registry.list}; then nothing has changed
   */
  async look(isServed: (identity: string) => boolean, signal: AbortSignal): Promise<RegistryView> {
    const listed = await this.#registry.list(this.#party, signal);
    const there = new Set(listed.map(({ place }) => place));
    for (const [name, place] of this.#places) {
      if (!there.has(name) && place.missing) this.#places.delete(name);
      else place.missing = !there.has(name);
    }
    let failure: FedmktError | null = null;
    const changed = listed.filter(({ place, version }) => this.#places.get(place)?.version !== version);
    const waiting = changed.values();
    const readers = Array.from({ length: READ_AT_ONCE }, async () => {
      for (const one of waiting)
        await this.#read(one, signal).catch((cause: FedmktError) => {
          failure = cause;
        });
    });
    await Promise.all(readers);
    const view: RegistryView = { entries: [], unreadable: [], failure };
    for (const place of this.#places.values()) {
      if (place.former !== null && !isServed(place.former.identity)) place.former = null;
      if (place.former !== null) view.entries.push(place.former);
      if (place.read !== null) view.entries.push(place.read);
      if (place.unreadable !== null) view.unreadable.push(place.unreadable);
    }
    return view;
  }

  async #read(listed: ListedEntry, signal: AbortSignal): Promise<void> {
    const place = this.#places.get(listed.place) ?? {
      version: null,
      read: null,
      unreadable: null,
      former: null,
      missing: false,
    };
    try {
      const bytes = await this.#registry.read(listed, signal);
      const entry = parseJson(bytes, listed.place, registryEntry);
      refuseMisplaced(listed, entry);
      const identity = sha256(bytes);
      if (place.read !== null && place.read.identity !== identity) place.former ??= place.read;
      place.read = { listed, entry, identity };
      place.unreadable = null;
    } catch (cause) {
      if (!(cause instanceof InvalidInputError)) throw cause;
      // gone since it was listed: the next look will not list it
      if (cause.code === "OBJECT_MISSING" || cause.code === "FILE_MISSING") return;
      if (place.read !== null) place.former ??= place.read;
      place.read = null;
      place.unreadable = { listed, error: cause };
    }
    place.version = listed.version;
    this.#places.set(listed.place, place);
  }
}

function refuseMisplaced({ place, party, run }: ListedEntry, entry: RegistryEntry): void {
  if (entry.party === party && (run === null || entry.run === run)) return;
  throw new InvalidInputError(
    "ENTRY_MISPLACED",
    `${place}: expected an entry of ${party}${run === null ? "" : `, run ${run}`}; got one of ${entry.party}, run ${entry.run}`,
  );
}
