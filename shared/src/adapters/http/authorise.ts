import { RefusedRequest } from "../../contracts/openai/errors.ts";
import type { KeyChain, KeyHolder } from "../../ports/key-chain.ts";

/** Whoever asks where no keys are asked for. */
const ANYONE: KeyHolder = { id: "anyone", admin: true };
/** A key has 50 characters. */
const MAX_HEADER = 512;

/**
 * @param header - `Authorization`
 * @throws RefusedRequest `INVALID_API_KEY` 401
 */
export function authorise(keys: KeyChain | null, header: string | undefined): KeyHolder {
  if (keys === null) return ANYONE;
  const presented = /^Bearer ([^\s]+)$/i.exec((header ?? "").slice(0, MAX_HEADER))?.[1];
  const holder = presented === undefined ? null : keys.find(presented);
  if (holder !== null) return holder;
  throw new RefusedRequest(
    "INVALID_API_KEY",
    presented === undefined
      ? "expected a key, as in: Authorization: Bearer fedmkt-…"
      : "expected a key that holds: this one is unknown, or has ended",
    { status: 401 },
  );
}

/** @throws RefusedRequest `ADMIN_KEY_EXPECTED` 403 */
export function requireAdmin({ admin }: KeyHolder): void {
  if (admin !== true)
    throw new RefusedRequest("ADMIN_KEY_EXPECTED", "expected a key that may load and unload adapters", { status: 403 });
}
