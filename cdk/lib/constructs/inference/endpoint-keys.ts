import { RemovalPolicy } from "aws-cdk-lib";
import { CfnSecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../../deployment-settings.ts";
import { acknowledge } from "../explain-finding.ts";
import { HouseKey } from "../house-key.ts";

/**
 * The endpoint's API keys, hashed: a secret that `fedmkt keys --secret` writes and the endpoint looks at every minute. It begins with no
 * key, so that nobody is let in; what is in it later is no part of the template, and a change of the stack leaves it alone.
 */
export class EndpointKeys extends Construct {
  readonly secretArn: string;
  readonly encryptionKey: HouseKey;

  constructor(scope: Construct, id: string, props: { settings: DeploymentSettings; secretName: string }) {
    super(scope, id);
    this.encryptionKey = new HouseKey(this, "Key", {
      settings: props.settings,
      description: "FedMKT: hashes of the keys of an inference endpoint",
      removalPolicy: RemovalPolicy.DESTROY, // keys are made anew with the endpoint
    });
    const secret = new CfnSecret(this, "Secret", {
      name: props.secretName,
      description: "FedMKT: hashed keys of an inference endpoint; fedmkt keys writes them",
      kmsKeyId: this.encryptionKey.keyArn,
      secretString: JSON.stringify({ version: 1, keys: [] }),
    });
    acknowledge(secret, {
      "AwsSolutions-SMG4":
        "It holds hashes of keys that clients hold: only an operator can hand out new ones, by fedmkt keys rotate, which lets the old " +
        "one go on until it is withdrawn.",
    });
    this.secretArn = secret.ref;
  }
}
