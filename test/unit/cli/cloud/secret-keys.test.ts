import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { SecretKeys } from "../../../../cli/src/cloud/secret-keys.ts";
import type { Front } from "../../../../cli/src/local/front.ts";
import type { ApiKeys } from "../../../../shared/src/contracts/api-keys.ts";
import { EMBEDDED } from "../../../support/embedded-stores.ts";
import { awsError, startJsonServices } from "../../../support/json-service.ts";

const ward = { id: "ward", sha256: "a".repeat(64) };
const quay = { id: "quay", sha256: "b".repeat(64) };
const adding = (key: typeof ward) => (document: ApiKeys) => ({ ...document, keys: [...document.keys, key] });

/** As Secrets Manager keeps versions: each by its id, the labels on one version each. */
class Secret {
  readonly versions = new Map([["v0", JSON.stringify({ version: 1, keys: [] })]]);
  readonly labels = new Map([["AWSCURRENT", "v0"]]);
  denied = "";
  /** done just before the label is moved */
  meanwhile = () => {};

  answer(operation: string, input: Record<string, unknown>): object {
    if (operation === this.denied) throw awsError("AccessDeniedException");
    if (input.SecretId !== "fedmkt-dev-keys") throw awsError("ResourceNotFoundException");
    if (operation === "GetSecretValue") {
      const id = this.labels.get(String(input.VersionStage))!;
      return { VersionId: id, SecretString: this.versions.get(id) };
    }
    if (operation === "PutSecretValue")
      return { VersionId: this.put(String(input.SecretString), input.VersionStages as string[]) };
    this.meanwhile();
    if (this.labels.get(String(input.VersionStage)) !== input.RemoveFromVersionId)
      throw awsError("InvalidParameterException");
    this.labels.set(String(input.VersionStage), String(input.MoveToVersionId));
    return {};
  }

  put(text: string, labels: string[]): string {
    const id = `v${this.versions.size}`;
    this.versions.set(id, text);
    for (const label of labels) this.labels.set(label, id);
    return id;
  }

  current(): ApiKeys {
    return JSON.parse(this.versions.get(this.labels.get("AWSCURRENT")!)!);
  }
}

describe("keys in a secret", () => {
  let secret: Secret;
  let front: Front;
  let keys: SecretKeys;
  const open = (name: string) =>
    new SecretKeys(
      new SecretsManagerClient({
        ...{ endpoint: front.url, region: "eu-central-1", maxAttempts: 1 },
        credentials: EMBEDDED.credentials,
      }),
      name,
    );
  beforeEach(async () => {
    secret = new Secret();
    front = await startJsonServices({ secretsmanager: (operation, input) => secret.answer(operation, input) });
    keys = open("fedmkt-dev-keys");
  });
  afterEach(() => front.stop());

  it("are read and changed", async () => {
    expect(await keys.read()).toEqual({ version: 1, keys: [] });
    await keys.change(adding(ward));
    await keys.change(adding(quay));
    expect(secret.current()).toEqual({ version: 1, keys: [ward, quay] });
    expect(await keys.read()).toEqual(secret.current());
  });

  it("are changed by one at a time: nobody's change is lost", async () => {
    secret.meanwhile = () => void secret.put(JSON.stringify({ version: 1, keys: [quay] }), ["AWSCURRENT"]);
    await expect(keys.change(adding(ward))).rejects.toMatchObject({ code: "KEYS_IN_USE" });
    expect(secret.current().keys).toEqual([quay]);
  });

  it("stay as they are where the change is refused", async () => {
    const refuse = () => {
      throw new Error("no");
    };
    await expect(keys.change(refuse)).rejects.toThrow("no");
    expect(secret.versions.size).toBe(1);
  });

  it("are refused where they are no document of keys", async () => {
    secret.put('{"ward":"fedmkt-plain"}', ["AWSCURRENT"]);
    await expect(keys.change(adding(ward))).rejects.toMatchObject({ code: "DOCUMENT_INVALID" });
    expect(secret.versions.size).toBe(2);
  });

  it.each(["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"])(
    "say that %s is not allowed",
    async (action) => {
      secret.denied = action;
      await expect(keys.change(adding(ward))).rejects.toMatchObject({
        code: "ACCESS_DENIED",
        message: expect.stringContaining(`secretsmanager:${action} on fedmkt-dev-keys`),
      });
      expect(secret.current().keys).toEqual([]);
    },
  );

  it("say that there is no such secret", async () => {
    await expect(open("other").read()).rejects.toMatchObject({ code: "REQUEST_REFUSED" });
  });
});
