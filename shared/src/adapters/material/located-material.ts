import { isInS3 } from "../../contracts/location.ts";
import { InvalidInputError } from "../../core/errors.ts";
import type { Material } from "../../ports/material.ts";
import { hashWeights } from "./hash-weights.ts";

/** One kind of place that material comes from; what is done with a folder on this machine is the same for all. */
export type MaterialSource = Pick<Material, "read" | "folder" | "fingerprint">;

/** Sends each location to where it lies: `s3://…` to S3, everything else to this machine, where that is allowed. */
export class LocatedMaterial implements Material {
  readonly #s3: MaterialSource;
  readonly #files: MaterialSource | null;

  /** @param files - null: what lies on this machine is refused */
  constructor(s3: MaterialSource, files: MaterialSource | null) {
    this.#s3 = s3;
    this.#files = files;
  }

  async read(location: string, maxBytes: number): Promise<Uint8Array> {
    return this.#of(location).read(location, maxBytes);
  }

  async folder(location: string): Promise<string> {
    return this.#of(location).folder(location);
  }

  async fingerprint(location: string): Promise<string> {
    return this.#of(location).fingerprint(location);
  }

  async weightsHash(location: string): Promise<string> {
    return hashWeights(await this.folder(location));
  }

  #of(location: string): MaterialSource {
    if (isInS3(location)) return this.#s3;
    if (this.#files === null)
      throw new InvalidInputError(
        "LOCAL_FILES_REFUSED",
        `${location}: expected s3://bucket/key; files of this machine may not be read here`,
      );
    return this.#files;
  }
}
