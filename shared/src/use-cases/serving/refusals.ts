import type { RefusedAdapter } from "../../ports/served-names.ts";

/** What is told of what goes on in a registry: names, codes and reasons. */
export interface RegistryLog {
  info(message: string, facts: Record<string, unknown>): void;
  warn(message: string, facts: Record<string, unknown>): void;
}

export interface ToldRefusal extends RefusedAdapter {
  /** whether it is this endpoint's trouble, and not an adapter of a model that others serve */
  isMeant: boolean;
}

/** Tells of each refusal once, however often it is found, until it is found no more. */
export class Refusals {
  readonly #log: RegistryLog;
  readonly #onRefused: () => void;
  #told = new Set<string>();

  /** @param onRefused - called for each that is new and meant */
  constructor(log: RegistryLog, onRefused: () => void) {
    this.#log = log;
    this.#onRefused = onRefused;
  }

  /** @param found - all that there are now. @returns what the registry's state says of them */
  tell(found: readonly ToldRefusal[]): RefusedAdapter[] {
    const before = this.#told;
    this.#told = new Set();
    return found.map(({ isMeant, ...refused }) => {
      const { party, run, code, reason } = refused;
      const key = JSON.stringify([party, run, code, reason]);
      if (!before.has(key) && !this.#told.has(key)) {
        if (isMeant) {
          this.#onRefused();
          this.#log.warn("adapter refused", { ...refused });
          // every run has some: what differs is told by the registry's state
        } else this.#log.info("adapter of another model", { party, run, code });
      }
      this.#told.add(key);
      return refused;
    });
  }
}
