import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { ObjectStore } from "@fedmkt/shared/ports/object-store.ts";

/** An object store in this process's memory, for what is only looked at; held to the same contract suite as S3. Bytes are copied in and out. */
export class MemoryObjectStore implements ObjectStore {
  readonly #objects = new Map<string, Uint8Array>();

  async get(bucket: string, key: string, maxBytes: number): Promise<Uint8Array> {
    const body = this.#objects.get(place(bucket, key));
    if (body === undefined)
      throw new InvalidInputError("OBJECT_MISSING", `${place(bucket, key)}: expected an object, found none`);
    if (body.length > maxBytes)
      throw new InvalidInputError(
        "OBJECT_TOO_LARGE",
        `${place(bucket, key)}: expected at most ${maxBytes} bytes, it has ${body.length}`,
      );
    return body.slice();
  }

  async head(bucket: string, key: string): Promise<{ bytes: number } | null> {
    const body = this.#objects.get(place(bucket, key));
    return body === undefined ? null : { bytes: body.length };
  }

  async put(bucket: string, key: string, body: Uint8Array): Promise<void> {
    this.#objects.set(place(bucket, key), body.slice());
  }

  async putIfAbsent(bucket: string, key: string, body: Uint8Array): Promise<boolean> {
    if (this.#objects.has(place(bucket, key))) return false;
    await this.put(bucket, key, body);
    return true;
  }

  async list(bucket: string, prefix: string): Promise<string[]> {
    return [...this.#objects.keys()]
      .filter((name) => name.startsWith(place(bucket, prefix)))
      .map((name) => name.slice(place(bucket, "").length))
      .sort();
  }
}

function place(bucket: string, key: string): string {
  return `s3://${bucket}/${key}`;
}
