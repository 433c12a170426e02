import {
  GetSecretValueCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from "@aws-sdk/client-secrets-manager";
import { apiKeys } from "../../contracts/api-keys.ts";
import { parseJson } from "../../contracts/json-document.ts";
import { FedmktError, InvalidInputError } from "../../core/errors.ts";
import { HashedKeys } from "../../formats/hashed-keys.ts";
import type { FollowedKeys } from "../../ports/key-chain.ts";
import { awsFailure } from "./aws-failure.ts";

/** Calls that hang must end: the next look comes. */
const TIMEOUT_MS = 10_000;

export interface SecretKeysOptions {
  /** told when the secret can no longer be read, and when it can again */
  warn(message: string, facts: Record<string, unknown>): void;
  nowMs?: () => number;
}

export function secretsManagerClient(config: SecretsManagerClientConfig = {}): SecretsManagerClient {
  return new SecretsManagerClient(config);
}

/**
 * The keys of a secret of AWS, read again at every look. While it cannot be read, or holds something else, the keys read before hold.
 *
 * @param secret - its ARN or name
 * @throws InvalidInputError `OBJECT_MISSING`, `ACCESS_DENIED`, `DOCUMENT_INVALID`, TransientError
 */
export async function openSecretKeys(
  client: SecretsManagerClient,
  secret: string,
  { warn, nowMs = Date.now }: SecretKeysOptions,
): Promise<FollowedKeys> {
  let keys = await readSecret(client, secret);
  let failing = false;
  const look = async (signal: AbortSignal) => {
    try {
      const read = await readSecret(client, secret, signal);
      if (signal.aborted) return;
      keys = read;
      if (failing) warn("the secret of keys can be read again", { secret });
      failing = false;
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof FedmktError ? error.code : "UNEXPECTED";
      if (!failing) warn("the secret of keys cannot be read: those read before hold", { secret, code });
      failing = true;
    }
  };
  return { find: (presented) => keys.find(presented, nowMs()), look };
}

async function readSecret(
  client: SecretsManagerClient,
  secret: string,
  signal: AbortSignal | null = null,
): Promise<HashedKeys> {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  let text: string | undefined;
  try {
    ({ SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: secret }), {
      abortSignal: signal === null ? late : AbortSignal.any([signal, late]),
    }));
  } catch (cause) {
    if ((cause as Error).name === "ResourceNotFoundException")
      throw new InvalidInputError("OBJECT_MISSING", `${secret}: expected a secret with keys, found none`, { cause });
    throw awsFailure(secret, cause);
  }
  return new HashedKeys(parseJson(new TextEncoder().encode(text ?? ""), secret, apiKeys));
}
