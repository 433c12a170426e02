import { type DocumentSchema, parseJson } from "../contracts/json-document.ts";
import type { ObjectStore } from "../ports/object-store.ts";

/** Largest JSON document of ours: a selection of ten million samples stays below it. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** Reads and checks one of our own JSON documents. @throws InvalidInputError `DOCUMENT_INVALID` naming the key and every mistake */
export async function readJson<T>(
  objects: ObjectStore,
  bucket: string,
  key: string,
  schema: DocumentSchema<T>,
): Promise<T> {
  return parseJson(await objects.get(bucket, key, MAX_JSON_BYTES), key, schema);
}
