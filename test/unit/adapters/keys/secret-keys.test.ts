import { setTimeout as sleep } from "node:timers/promises";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Front } from "../../../../cli/src/local/front.ts";
import { openSecretKeys } from "../../../../shared/src/adapters/aws/secret-keys.ts";
import { makeKey } from "../../../../shared/src/adapters/keys/make-key.ts";
import type { KeyChain } from "../../../../shared/src/ports/key-chain.ts";
import { EMBEDDED } from "../../../support/embedded-stores.ts";
import { awsError, startJsonServices } from "../../../support/json-service.ts";

const LOOK_MS = 5;
const ward = makeKey();
const quay = makeKey();
const documentOf = (...keys: { id: string; sha256: string }[]) => JSON.stringify({ version: 1, keys });

describe("the keys of a secret", () => {
  let text: string | Error;
  let front: Front;
  let client: SecretsManagerClient;
  let keys: KeyChain | null;
  const warned: string[] = [];
  const open = async () => {
    keys = await openSecretKeys(client, "fedmkt-dev-keys", {
      warn: (message, { code }) => void warned.push(`${message} ${code}`),
      lookEveryMs: LOOK_MS,
    });
    return keys;
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await sleep(LOOK_MS);
  };
  beforeEach(async () => {
    warned.length = 0;
    keys = null;
    text = documentOf({ id: "ward", sha256: ward.sha256 });
    front = await startJsonServices({
      secretsmanager: () => {
        if (text instanceof Error) throw text;
        return { SecretString: text };
      },
    });
    const place = { endpoint: front.url, region: "eu-central-1", credentials: EMBEDDED.credentials, maxAttempts: 1 };
    client = new SecretsManagerClient(place);
  });
  afterEach(async () => {
    keys?.close();
    client.destroy();
    await front.stop();
  });

  it("hold as they stand there, and change with it", async () => {
    const chain = await open();
    expect(chain.find(ward.key)).toEqual({ id: "ward" });
    expect(chain.find(quay.key)).toBeNull();
    text = documentOf({ id: "quay", sha256: quay.sha256 });
    await until(() => chain.find(quay.key) !== null);
    expect(chain.find(ward.key)).toBeNull();
    expect(warned).toEqual([]);
  });

  it("hold on while the secret cannot be read or holds something else, which is told once", async () => {
    const chain = await open();
    text = awsError("AccessDeniedException");
    await until(() => warned.length > 0);
    text = "no document";
    await sleep(10 * LOOK_MS);
    expect(chain.find(ward.key)).toEqual({ id: "ward" });
    expect(warned).toEqual(["the secret of keys cannot be read: those read before hold ACCESS_DENIED"]);
    text = documentOf({ id: "quay", sha256: quay.sha256 });
    await until(() => warned.length > 1);
    expect([warned[1], chain.find(quay.key)]).toEqual([
      "the secret of keys can be read again undefined",
      { id: "quay" },
    ]);
  });

  it.each([
    [awsError("ResourceNotFoundException"), "OBJECT_MISSING"],
    [awsError("AccessDeniedException"), "ACCESS_DENIED"],
    ["{}", "DOCUMENT_INVALID"],
  ])("are refused at first where there are none to hold: %s", async (answer, code) => {
    text = answer;
    await expect(open()).rejects.toMatchObject({ name: "InvalidInputError", code });
  });
});

describe("a made key", () => {
  it("is another one each time", () => {
    expect(new Set(Array.from({ length: 100 }, () => makeKey().key)).size).toBe(100);
  });
});
