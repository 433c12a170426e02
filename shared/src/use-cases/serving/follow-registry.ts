import type { Lineage } from "../../contracts/openai/models.ts";
import type { RegistryEntry } from "../../contracts/registry-entry.ts";
import { FedmktError, InvalidInputError } from "../../core/errors.ts";
import type { Material } from "../../ports/material.ts";
import type { AdapterFolders, Registry } from "../../ports/registry.ts";
import type { RegistryState } from "../../ports/served-names.ts";
import { BASE_DIFFERS, type BaseIdentity, differsFromBase } from "./base-identity.ts";
import { checkFetchedAdapter } from "./check-fetched-adapter.ts";
import { chooseAdapter, compareAge, type Refusal } from "./choose-adapter.ts";
import type { LoadedAdapter, NameTable } from "./name-table.ts";
import { Refusals, type RegistryLog, type ToldRefusal } from "./refusals.ts";
import { type ReadEntry, RegistryPlaces } from "./registry-places.ts";
import { type Patience, Retries } from "./retries.ts";

/** An adapter that could not be used is tried again, in case its files have been put right. */
const UNUSABLE: Patience = { firstMs: 60_000, mostMs: 3_600_000 };
/** One that was out of reach is tried again at the next look, then less often: its files may be gigabytes. */
const OUT_OF_REACH_MOST_MS = 60_000;

/** Of the metrics: an adapter was taken up, refused, or withdrawn; a look failed. */
export type RegistryEvent = "taken" | "refused" | "withdrawn" | "look-failed";

/** What a follower is given. */
export interface RegistryFollowing {
  registry: Registry;
  names: NameTable;
  folders: AdapterFolders;
  /** reads files of this machine */
  material: Pick<Material, "read">;
  /** of the model that is served */
  base: BaseIdentity;
  /** whose adapters alone are served; null: everybody's whose base it is */
  party: string | null;
  /** bits per byte by which an adapter may be worse than the one whose place it takes */
  tolerance: number;
  /** parties whose adapters are served; one adapter more may be in memory, while one takes another's place */
  mostAdapters: number;
  everyMs: number;
  /** milliseconds since the epoch */
  nowMs(): number;
  /** resolves after the time, or at once when the signal comes; never rejects */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  log: RegistryLog;
  count(event: RegistryEvent): void;
}

interface Served {
  identity: string;
  adapter: LoadedAdapter;
}

/**
 * Keeps what is served as the registry says: under each party's id its newest adapter that fits the base, is what its entry says, and is not
 * worse than the one before it. Which one that is follows from what lies in the registry alone ({@link chooseAdapter}), so an adapter
 * is rolled back by deleting its entry. A name changes over once the new adapter is loaded, between two requests. Whatever cannot be used
 * is told once, and what is served stays; so it does while the registry cannot be read.
 */
export class RegistryFollower {
  readonly #given: RegistryFollowing;
  readonly #places: RegistryPlaces;
  readonly #refusals: Refusals;
  /** by party */
  readonly #served = new Map<string, Served>();
  /** what could not be fetched, checked or loaded, since it is wrong */
  readonly #unusable: Retries<InvalidInputError>;
  /** and since something was out of reach, or broke down */
  readonly #outOfReach: Retries<unknown>;
  readonly #retiring = new Set<Promise<void>>();
  #state: RegistryState = { readAt: null, failure: null, refused: [] };
  #looking: Promise<void> = Promise.resolve();
  #signal = new AbortController().signal;

  constructor(given: RegistryFollowing) {
    this.#given = given;
    this.#places = new RegistryPlaces(given.registry, given.party);
    this.#unusable = new Retries(UNUSABLE, given.nowMs);
    // half of it, so that the next look is late enough
    const firstMs = given.everyMs / 2;
    const mostMs = Math.max(firstMs, OUT_OF_REACH_MOST_MS);
    this.#outOfReach = new Retries({ firstMs, mostMs }, given.nowMs);
    this.#refusals = new Refusals(given.log, () => given.count("refused"));
    given.names.tellRegistry(() => this.#state);
  }

  /** Looks every few seconds, until the signal, which gives up what is being fetched, too. */
  async follow(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    while (!signal.aborted) {
      await this.look();
      await this.#given.wait(this.#given.everyMs, signal);
    }
  }

  /** Looks once, and does what follows from it; never rejects. Looks take turns. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look().catch((cause) => this.#fail(cause)));
    return this.#looking;
  }

  /** Resolves when every adapter is unloaded that has lost its name so far. */
  async settled(): Promise<void> {
    await Promise.all(this.#retiring);
  }

  async #look(): Promise<void> {
    const served = new Set([...this.#served.values()].map(({ identity }) => identity));
    const { entries, unreadable, failure } = await this.#places.look((identity) => served.has(identity), this.#signal);
    const there = new Set(entries.map(({ listed }) => listed.place));
    for (const failed of [this.#unusable, this.#outOfReach]) failed.keepOnly(there);
    const found: ToldRefusal[] = [];
    const failures: unknown[] = failure === null ? [] : [failure];
    // who is served keeps a place; the others' go to those who came first
    const byAge = entries.toSorted((one, other) => compareAge(one.entry, other.entry));
    for (const party of new Set([...this.#served.keys(), ...byAge.map(({ entry }) => entry.party)])) {
      const candidates = entries.filter(({ entry }) => entry.party === party);
      const settled = await this.#settle(party, candidates);
      found.push(...settled.refused.map((refusal) => this.#describe(refusal)));
      if (settled.failure !== null) failures.push(settled.failure);
    }
    for (const { listed, error } of unreadable)
      found.push({
        party: listed.party,
        run: listed.run ?? listed.place,
        code: error.code,
        reason: error.message,
        isMeant: true,
      });
    const refused = this.#refusals.tell(found);
    this.#state = { ...this.#state, refused };
    if (failures.length > 0) this.#fail(failures[0]);
    else {
      if (this.#state.failure !== null) this.#given.log.info("registry is read again", {});
      this.#state = { readAt: new Date(this.#given.nowMs()).toISOString(), failure: null, refused };
    }
  }

  /** Has a party's name lead to the adapter that it should. @returns also why that could not be done yet */
  async #settle(party: string, candidates: readonly ReadEntry[]): Promise<{ refused: Refusal[]; failure: unknown }> {
    for (;;) {
      const { accepted, refused } = chooseAdapter(candidates, (one) => this.#whyUnfit(one), this.#given.tolerance);
      if (accepted === null) this.#withdraw(party);
      if (accepted === null || accepted.identity === this.#served.get(party)?.identity)
        return { refused, failure: null };
      if (!this.#hasRoom(party)) {
        const error = noRoom(accepted, this.#given.mostAdapters);
        return { refused: [...refused, { one: accepted, error }], failure: null };
      }
      const { listed } = accepted;
      const failure = this.#outOfReach.heldBack(listed);
      if (failure !== null) return { refused, failure };
      try {
        await this.#take(accepted);
        for (const failed of [this.#unusable, this.#outOfReach]) failed.forget(listed);
        return { refused, failure: null };
      } catch (cause) {
        if (cause instanceof InvalidInputError) this.#unusable.note(listed, cause);
        else {
          this.#outOfReach.note(listed, cause);
          return { refused, failure: cause };
        }
      }
    }
  }

  #whyUnfit(one: ReadEntry): InvalidInputError | null {
    const { base } = this.#given;
    const { party } = one.entry;
    if (this.#isTaken(party)) return nameTaken(party);
    const differs = differsFromBase(one.entry, base);
    if (differs !== null) return differs;
    // what is served has been checked, whatever has become of its files since
    if (this.#served.get(party)?.identity === one.identity) return null;
    return this.#unusable.heldBack(one.listed);
  }

  /** Whether a name is somebody else's. */
  #isTaken(party: string): boolean {
    return this.#given.names.has(party) && !this.#served.has(party);
  }

  /** Whether one more may be loaded. Where it takes another's place, it is in memory beside it for a while. */
  #hasRoom(party: string): boolean {
    const { names, mostAdapters } = this.#given;
    const others = this.#served.size + names.retiring;
    return this.#served.has(party) ? others <= mostAdapters : others < mostAdapters;
  }

  /** Fetches, checks and loads an adapter, and gives it its party's name. */
  async #take({ listed, entry, identity }: ReadEntry): Promise<void> {
    const { registry, names, folders, material, log, count } = this.#given;
    const { party, run, rounds } = entry;
    const wish = `${party}@${run}`;
    const folder = await folders.make(names.freeName(wish));
    try {
      await registry.fetch(listed, entry.adapter, folder, this.#signal);
      await checkFetchedAdapter(material, entry, folder);
      const adapter = await names.load(names.freeName(wish), folder);
      if (this.#isTaken(party)) {
        // by an operator's call, while this one was loaded
        await names.retire(adapter);
        throw nameTaken(party);
      }
      const former = names.serve(party, adapter, { root: listed.place, lineage: lineageOf(entry) });
      this.#served.set(party, { identity, adapter });
      log.info("adapter served", { party, run, rounds, adapter: adapter.name, instead: former?.name ?? null });
      count("taken");
      if (former !== null) this.#retire(former);
    } catch (cause) {
      await folders.remove(folder);
      throw cause;
    }
  }

  #withdraw(party: string): void {
    if (!this.#served.delete(party)) return;
    const former = this.#given.names.withdraw(party);
    this.#given.log.warn("adapter withdrawn", { party, reason: "the registry has none to serve" });
    this.#given.count("withdrawn");
    if (former !== null) this.#retire(former);
  }

  #retire(adapter: LoadedAdapter): void {
    const { names, folders, log } = this.#given;
    const { name, folder } = adapter;
    const unload = async () => {
      try {
        await names.retire(adapter);
      } catch (cause) {
        log.warn("adapter not unloaded", { adapter: name, reason: (cause as Error).message });
      }
      await folders.remove(folder);
    };
    const retired = unload()
      .catch((cause: Error) => log.warn("adapter's folder left behind", { adapter: name, reason: cause.message }))
      .finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }

  #describe({ one, error }: Refusal): ToldRefusal {
    const { party, run } = one.entry;
    const isMeant = error.code !== BASE_DIFFERS || this.#given.party !== null || this.#served.has(party);
    return { party, run, code: error.code, reason: error.message, isMeant };
  }

  #fail(cause: unknown): void {
    if (this.#signal.aborted) return;
    const { log, count } = this.#given;
    const code = cause instanceof FedmktError ? cause.code : "UNEXPECTED";
    const reason = (cause as Error).message;
    if (this.#state.failure?.code !== code) log.warn("registry not followed: what is served stays", { code, reason });
    this.#state = { ...this.#state, failure: { code, reason } };
    count("look-failed");
  }
}

function nameTaken(party: string): InvalidInputError {
  return new InvalidInputError(
    "NAME_TAKEN",
    `${party}: expected a party's name that is free, but the base model or an adapter that was given by hand bears it: give that another name (--name, --adapter)`,
  );
}

function noRoom({ entry: { party, run } }: ReadEntry, most: number): InvalidInputError {
  return new InvalidInputError(
    "ADAPTERS_FULL",
    `${party}@${run}: expected at most ${most} adapters of the registry in memory at once, and as many are there: let more be (--registry-adapters), or name one party (--party)`,
  );
}

function lineageOf({ party, run, rounds, specHash, publishedAt, base }: RegistryEntry): Lineage {
  return { party, run, rounds, specHash, publishedAt: publishedAt ?? null, baseWeights: base.weightsFingerprint };
}
