/**
 * An object store (S3). One contract suite runs on every adapter.
 * Keys are S3 keys; a missing object is {@link InvalidInputError} `OBJECT_MISSING`, trouble on the way is TransientError.
 */
export interface ObjectStore {
  /** The whole object; refuses (InvalidInputError `OBJECT_TOO_LARGE`) what is longer than maxBytes before reading it. */
  get(bucket: string, key: string, maxBytes: number): Promise<Uint8Array>;
  /** Whether the object exists, and how long it is. */
  head(bucket: string, key: string): Promise<{ bytes: number } | null>;
  /** Writes in parts of 8 MiB where needed. */
  put(bucket: string, key: string, body: Uint8Array): Promise<void>;
  /** Writes only where no object is: false (and nothing written) where one is. */
  putIfAbsent(bucket: string, key: string, body: Uint8Array): Promise<boolean>;
  /** Keys below a prefix, in order. */
  list(bucket: string, prefix: string): Promise<string[]>;
}
