import type { ListedEntry } from "../../ports/registry.ts";

/** How long is waited before something is tried again: at first, doubled each time, and at most. */
export interface Patience {
  firstMs: number;
  mostMs: number;
}

interface Failure<E> {
  version: string;
  error: E;
  tries: number;
  againMs: number;
}

/** Entries of which something failed, and when it is tried again: sooner where an entry has changed. */
export class Retries<E> {
  readonly #patience: Patience;
  readonly #nowMs: () => number;
  /** by place */
  readonly #failures = new Map<string, Failure<E>>();

  constructor(patience: Patience, nowMs: () => number) {
    this.#patience = patience;
    this.#nowMs = nowMs;
  }

  /** Why it is not tried yet; null: it may be. */
  heldBack({ place, version }: ListedEntry): E | null {
    const failure = this.#failures.get(place);
    return failure?.version === version && failure.againMs > this.#nowMs() ? failure.error : null;
  }

  note({ place, version }: ListedEntry, error: E): void {
    const { firstMs, mostMs } = this.#patience;
    const before = this.#failures.get(place);
    const tries = before?.version === version ? before.tries + 1 : 1;
    const againMs = this.#nowMs() + Math.min(firstMs * 2 ** (tries - 1), mostMs);
    this.#failures.set(place, { version, error, tries, againMs });
  }

  forget({ place }: ListedEntry): void {
    this.#failures.delete(place);
  }

  /** Forgets what is no longer there. */
  keepOnly(places: ReadonlySet<string>): void {
    for (const place of this.#failures.keys()) if (!places.has(place)) this.#failures.delete(place);
  }
}
