import { createWriteStream } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { registryKeys } from "../../contracts/keys.ts";
import { MAX_ENTRY_BYTES, type RegistryEntry } from "../../contracts/registry-entry.ts";
import { InvalidInputError } from "../../core/errors.ts";
import type { ListedEntry, Registry } from "../../ports/registry.ts";
import { awsFailure } from "./aws-failure.ts";
import { S3ObjectStore } from "./s3-object-store.ts";

/** Ten requests a look. */
const MAX_ENTRIES = 10_000;
/** Of a page of the list, or an entry. A look that hangs must end: what is published meanwhile waits for the next one. */
const LOOK_TIMEOUT_MS = 30_000;
/** Of one file: 4 GiB at 7 MiB a second. */
const FETCH_TIMEOUT_MS = 600_000;
const ENTRY_KEY = /^adapters\/(?<party>[^/]{1,128})\/(?<run>[^/]{1,128})\.json$/;

/**
 * The registry's bucket. A look costs one LIST for each thousand entries, of which S3 takes 0.005 dollars a thousand: every two seconds that is
 * 6.50 dollars a month. Entries are read only where their ETag is new.
 */
export class S3Registry implements Registry {
  readonly #client: S3Client;
  readonly #objects: S3ObjectStore;
  readonly #bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#objects = new S3ObjectStore(client);
    this.#bucket = bucket;
  }

  async list(party: string | null, signal: AbortSignal): Promise<ListedEntry[]> {
    const prefix = registryKeys.entries(party ?? undefined);
    const entries: ListedEntry[] = [];
    let next: string | undefined;
    do {
      const page = await this.#listPage(prefix, next, signal);
      for (const { Key = "", ETag = "" } of page.Contents ?? []) {
        const named = ENTRY_KEY.exec(Key)?.groups;
        if (named !== undefined) entries.push({ place: Key, version: ETag, party: named.party, run: named.run });
      }
      if (entries.length > MAX_ENTRIES)
        throw new InvalidInputError(
          "REGISTRY_TOO_LARGE",
          `s3://${this.#bucket}/${prefix}: expected at most ${MAX_ENTRIES} registry entries; name a party, or delete old ones`,
        );
      next = page.NextContinuationToken;
    } while (next !== undefined);
    return entries;
  }

  async read({ place }: ListedEntry, signal: AbortSignal): Promise<Uint8Array> {
    return this.#objects.get(this.#bucket, place, MAX_ENTRY_BYTES, orLate(signal));
  }

  async fetch(
    _: ListedEntry,
    { bucket, folder: prefix, files }: RegistryEntry["adapter"],
    folder: string,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { name, bytes } of files) {
      const place = `s3://${bucket}/${prefix}/${name}`;
      const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
      try {
        const { Body, ContentLength } = await this.#client.send(
          new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${name}` }),
          { abortSignal },
        );
        const body = Body as Readable;
        if (ContentLength !== bytes) {
          body.destroy();
          throw new InvalidInputError(
            "OUTPUT_CHANGED",
            `${place}: expected ${bytes} bytes, it has ${ContentLength ?? "an unknown number"}`,
          );
        }
        await pipeline(body, createWriteStream(path.join(folder, name)), { signal: abortSignal });
      } catch (cause) {
        if (cause instanceof InvalidInputError) throw cause;
        throw awsFailure(place, cause);
      }
    }
  }

  async #listPage(prefix: string, next: string | undefined, signal: AbortSignal) {
    try {
      return await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: next }),
        { abortSignal: orLate(signal) },
      );
    } catch (cause) {
      throw awsFailure(`s3://${this.#bucket}/${prefix}*`, cause);
    }
  }
}

function orLate(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]);
}
