import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Front } from "../../../../cli/src/local/front.ts";
import { openSecretKeys } from "../../../../shared/src/adapters/aws/secret-keys.ts";
import { makeKey } from "../../../../shared/src/adapters/keys/make-key.ts";
import { EMBEDDED } from "../../../support/embedded-stores.ts";
import { awsError, startJsonServices } from "../../../support/json-service.ts";

const ward = makeKey();
const quay = makeKey();
const documentOf = (...keys: { id: string; sha256: string }[]) => JSON.stringify({ version: 1, keys });

describe("the keys of a secret", () => {
  let text: string | Error;
  let onAsked: () => void;
  let front: Front;
  let client: SecretsManagerClient;
  const warned: string[] = [];
  const open = () =>
    openSecretKeys(client, "fedmkt-dev-keys", {
      warn: (message, { code }) => void warned.push(`${message} ${code}`),
    });
  const going = () => new AbortController().signal;
  beforeEach(async () => {
    warned.length = 0;
    onAsked = () => {};
    text = documentOf({ id: "ward", sha256: ward.sha256 });
    front = await startJsonServices({
      secretsmanager: () => {
        onAsked();
        if (text instanceof Error) throw text;
        return { SecretString: text };
      },
    });
    const place = { endpoint: front.url, region: "eu-central-1", credentials: EMBEDDED.credentials, maxAttempts: 1 };
    client = new SecretsManagerClient(place);
  });
  afterEach(async () => {
    client.destroy();
    await front.stop();
  });

  it("hold as they stand there, and change with it", async () => {
    const { find, look } = await open();
    expect(find(ward.key)).toEqual({ id: "ward" });
    expect(find(quay.key)).toBeNull();
    text = documentOf({ id: "quay", sha256: quay.sha256 });
    await look(going());
    expect([find(quay.key), find(ward.key)]).toEqual([{ id: "quay" }, null]);
    expect(warned).toEqual([]);
  });

  it("hold on while the secret cannot be read or holds something else, which is told once", async () => {
    const { find, look } = await open();
    text = awsError("AccessDeniedException");
    await look(going());
    text = "no document";
    await look(going());
    expect(find(ward.key)).toEqual({ id: "ward" });
    expect(warned).toEqual(["the secret of keys cannot be read: those read before hold ACCESS_DENIED"]);
    text = documentOf({ id: "quay", sha256: quay.sha256 });
    await look(going());
    expect([warned[1], find(quay.key)]).toEqual(["the secret of keys can be read again undefined", { id: "quay" }]);
  });

  it("do not change, and tell nothing, where the end comes while the secret is asked for", async () => {
    const { find, look } = await open();
    const ending = new AbortController();
    onAsked = () => ending.abort();
    text = documentOf({ id: "quay", sha256: quay.sha256 });
    await look(ending.signal);
    expect([find(ward.key), find(quay.key), warned]).toEqual([{ id: "ward" }, null, []]);
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
