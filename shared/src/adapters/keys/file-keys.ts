import { open, stat } from "node:fs/promises";
import { apiKeys, MAX_API_KEYS_BYTES } from "../../contracts/api-keys.ts";
import { parseJson } from "../../contracts/json-document.ts";
import { FedmktError, InvalidInputError } from "../../core/errors.ts";
import { HashedKeys } from "../../formats/hashed-keys.ts";
import type { FollowedKeys } from "../../ports/key-chain.ts";

export interface FileKeysOptions {
  /** told where the file cannot be read any more, once for each time it changes */
  warn(message: string, facts: Record<string, unknown>): void;
  nowMs?: () => number;
}

/**
 * The keys of a file, read again where a look sees that it has changed; links are followed, so that a secret which Kubernetes mounts is seen to change. A
 * file that is broken, or gone, changes nothing: the keys read before hold until it is whole again.
 *
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `DOCUMENT_INVALID`
 */
export async function openFileKeys(path: string, { warn, nowMs = Date.now }: FileKeysOptions): Promise<FollowedKeys> {
  let state = await stateOf(path);
  let keys = await readKeys(path);
  const look = async (signal: AbortSignal) => {
    const now = await stateOf(path);
    if (now === state) return;
    state = now;
    try {
      const read = await readKeys(path);
      if (!signal.aborted) keys = read;
    } catch (error) {
      if (signal.aborted) return;
      warn("the file of keys cannot be read: those read before hold", {
        file: path,
        code: error instanceof FedmktError ? error.code : "FILE_UNREADABLE",
      });
    }
  };
  return { find: (presented) => keys.find(presented, nowMs()), look };
}

/** What changes with the file's content; null where there is none. */
async function stateOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null ? null : [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

async function readKeys(path: string): Promise<HashedKeys> {
  const file = await open(path).catch((cause) => {
    throw new InvalidInputError(
      "FILE_MISSING",
      `${path}: expected a file of keys, got none that can be read; fedmkt keys add makes one`,
      { cause },
    );
  });
  try {
    if (!(await file.stat()).isFile())
      throw new InvalidInputError("FILE_MISSING", `${path}: expected a file of keys, got a folder or a device`);
    // one more than it may be, so that one that is longer is seen
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_API_KEYS_BYTES + 1), 0, MAX_API_KEYS_BYTES + 1, 0);
    if (bytesRead > MAX_API_KEYS_BYTES)
      throw new InvalidInputError("FILE_TOO_LARGE", `${path}: expected at most ${MAX_API_KEYS_BYTES} bytes, got more`);
    return new HashedKeys(parseJson(buffer.subarray(0, bytesRead), path, apiKeys));
  } finally {
    await file.close();
  }
}
