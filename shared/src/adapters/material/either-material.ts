import { InvalidInputError } from "../../core/errors.ts";
import type { MaterialSource } from "./located-material.ts";

/**
 * Material that one of two identities may read: a site's worker reads the coordinator's models as its party, and its own bucket as
 * itself. The second is asked only where the first is denied; where both are, it is the first's denial that is told.
 */
export class EitherMaterial implements MaterialSource {
  readonly #first: MaterialSource;
  readonly #second: MaterialSource;

  constructor(first: MaterialSource, second: MaterialSource) {
    this.#first = first;
    this.#second = second;
  }

  read(location: string, maxBytes: number): Promise<Uint8Array> {
    return this.#either((source) => source.read(location, maxBytes));
  }

  folder(location: string): Promise<string> {
    return this.#either((source) => source.folder(location));
  }

  fingerprint(location: string): Promise<string> {
    return this.#either((source) => source.fingerprint(location));
  }

  async #either<T>(ask: (source: MaterialSource) => Promise<T>): Promise<T> {
    try {
      return await ask(this.#first);
    } catch (denied) {
      if (!isDenied(denied)) throw denied;
      return ask(this.#second).catch((cause) => {
        throw isDenied(cause) ? denied : cause;
      });
    }
  }
}

function isDenied(cause: unknown): boolean {
  return cause instanceof InvalidInputError && cause.code === "ACCESS_DENIED";
}
