import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { type ApiKeys, apiKeys } from "@fedmkt/shared/contracts/api-keys.ts";
import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { attempt } from "./cloud-failure.ts";

const CURRENT = "AWSCURRENT";
/** A version needs a label, or it is forgotten before it becomes the current one. */
const NEXT = "FEDMKT_NEXT";

/** Keys in a secret of AWS Secrets Manager, which the deployment made. Endpoints read it again every minute. */
export class SecretKeys implements KeyStore {
  readonly place: string;
  readonly #client: SecretsManagerClient;

  /** @param secret - its name or ARN */
  constructor(client: SecretsManagerClient, secret: string) {
    this.#client = client;
    this.place = secret;
  }

  async read(): Promise<ApiKeys> {
    return (await this.#current()).keys;
  }

  async change(update: (keys: ApiKeys) => ApiKeys): Promise<void> {
    const { keys, version } = await this.#current();
    const changed = JSON.stringify(apiKeys.parse(update(keys)));
    const next = await attempt("secretsmanager:PutSecretValue", this.place, () =>
      this.#client.send(
        new PutSecretValueCommand({ SecretId: this.place, SecretString: changed, VersionStages: [NEXT] }),
      ),
    );
    await attempt("secretsmanager:UpdateSecretVersionStage", this.place, async () => {
      try {
        // refused where another version has become the current one since: nobody's change is lost
        await this.#client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: this.place,
            VersionStage: CURRENT,
            MoveToVersionId: next.VersionId,
            RemoveFromVersionId: version,
          }),
        );
      } catch (cause) {
        if ((cause as Error).name !== "InvalidParameterException") throw cause;
        throw new InvalidInputError(
          "KEYS_IN_USE",
          `${this.place}: somebody else changed the secret at the same time; nothing was written, do it again`,
          { cause },
        );
      }
    });
  }

  async #current(): Promise<{ keys: ApiKeys; version: string | undefined }> {
    const { SecretString: text = "", VersionId: version } = await attempt(
      "secretsmanager:GetSecretValue",
      this.place,
      () => this.#client.send(new GetSecretValueCommand({ SecretId: this.place, VersionStage: CURRENT })),
    );
    return { keys: parseJson(new TextEncoder().encode(text), this.place, apiKeys), version };
  }
}

/** With this process's own credentials and region. */
export function openSecretKeys(secret: string): KeyStore {
  return new SecretKeys(new SecretsManagerClient({}), secret);
}
