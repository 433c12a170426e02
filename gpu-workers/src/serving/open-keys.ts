import { openSecretKeys, secretsManagerClient } from "@fedmkt/shared/adapters/aws/secret-keys.ts";
import { openFileKeys } from "@fedmkt/shared/adapters/keys/file-keys.ts";
import { holdKeys } from "@fedmkt/shared/adapters/keys/held-keys.ts";
import { makeKey } from "@fedmkt/shared/adapters/keys/make-key.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { KeyChain } from "@fedmkt/shared/ports/key-chain.ts";
import { lookAgain } from "./look-again.ts";
import type { ServingLogger } from "./serving.ts";

/** Whose requests one made key's are, in logs and metrics. */
const MADE_ID = "this-process";
/** How long a key that was taken out of a file, or out of a secret, may still hold. 43,200 requests a month cost 0.22 dollars. */
const LOOK_AT_FILE_MS = 1000;
const LOOK_AT_SECRET_MS = 60_000;
const SECRET = /^arn:[a-z-]+:secretsmanager:(?<region>[a-z0-9-]+):/;

export interface OpenedKeys {
  /** null: whoever can connect may ask */
  chain: KeyChain | null;
  /** made here; null: it was not */
  made: string | null;
  /** Ends what follows changes. */
  close(): void;
}

const NOTHING_TO_END = () => {};

/**
 * The keys that the settings name.
 * @throws InvalidInputError `ENVIRONMENT_INVALID` where none are named and none is to be made; what reading them throws
 */
export async function openKeys(
  { FEDMKT_SERVE_KEYS: place }: Pick<ServingEnvironment, "FEDMKT_SERVE_KEYS">,
  makesKey: boolean,
  logger: ServingLogger,
): Promise<OpenedKeys> {
  if (place === "none") return { chain: null, made: null, close: NOTHING_TO_END };
  const warn = (message: string, facts: Record<string, unknown>) => logger.warn(message, facts);
  if (place !== undefined) {
    const region = SECRET.exec(place)?.groups?.region;
    const chain =
      region === undefined
        ? await openFileKeys(place, { warn })
        : await openSecretKeys(secretsManagerClient({ region }), place, { warn });
    const close = lookAgain(chain.look, region === undefined ? LOOK_AT_FILE_MS : LOOK_AT_SECRET_MS);
    return { chain, made: null, close };
  }
  if (!makesKey)
    throw new InvalidInputError(
      "ENVIRONMENT_INVALID",
      "environment: FEDMKT_SERVE_KEYS: expected a file of fedmkt keys, or a secret's ARN; got none",
    );
  const { key, sha256 } = makeKey();
  const chain = holdKeys({ version: 1, keys: [{ id: MADE_ID, sha256, admin: true }] });
  return { chain, made: key, close: NOTHING_TO_END };
}
