import type { BucketName } from "@fedmkt/shared/contracts/deployment.ts";
import { ArnFormat, Aws, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";

/** What a party's stack knows of the others': names that are agreed, and keys, which have no agreed name. */
export class PartyPlaces {
  readonly #stack: Stack;
  readonly #names: DeploymentSettings["names"];
  readonly controlKeyArn: string;
  readonly artefactKeyArn: string;

  constructor(
    scope: Construct,
    names: DeploymentSettings["names"],
    keys: { controlKeyArn: string; artefactKeyArn: string },
  ) {
    this.#stack = Stack.of(scope);
    this.#names = names;
    this.controlKeyArn = keys.controlKeyArn;
    this.artefactKeyArn = keys.artefactKeyArn;
  }

  bucketName(name: BucketName): string {
    return this.#names.bucket(name, Aws.ACCOUNT_ID, Aws.REGION);
  }

  bucketArn(name: BucketName): string {
    return `arn:${Aws.PARTITION}:s3:::${this.bucketName(name)}`;
  }

  /** Both machines: a party's jobs wait in either. */
  machineArns(): string[] {
    return [this.#names.runMachine, this.#names.roundMachine].map((name) =>
      this.#stack.formatArn({
        service: "states",
        resource: "stateMachine",
        resourceName: name,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    );
  }
}
