import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import { artefactKeys, registryKeys } from "@fedmkt/shared/contracts/keys.ts";
import { Aws } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { explainWildcards } from "../explain-finding.ts";
import { keyWildcards } from "../key-patterns.ts";
import type { PartyPlaces } from "../party-places.ts";
import type { EndpointKeys } from "./endpoint-keys.ts";

const ANY = "*";

/**
 * The role of an endpoint's tasks: it reads the registry, the published adapters that this names, the base model and the endpoint's
 * keys. It writes nothing, and neither what runs learn from one another nor anybody's data is open to it.
 */
export class EndpointRole extends Role {
  constructor(
    scope: Construct,
    id: string,
    props: { name: string; inference: InferenceSettings; places: PartyPlaces; keys: EndpointKeys },
  ) {
    const { inference, places, keys } = props;
    super(scope, id, {
      roleName: props.name,
      description: "FedMKT: an inference endpoint",
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    });
    const party = inference.party ?? ANY;
    const model = `arn:${Aws.PARTITION}:s3:::${inference.model.bucket}`;
    const [registry, artefacts] = [places.bucketArn("registry"), places.bucketArn("artefacts")];
    const objects = [
      `${registry}/${registryKeys.entry(party, ANY)}`,
      `${artefacts}/${artefactKeys.published(ANY)}/adapters/${party}/*`,
      `${model}/${inference.model.prefix}/*`,
    ];
    this.#allow(["s3:GetObject"], objects);
    explainWildcards(this, keyWildcards(objects));
    // names, not contents: without it S3 answers 403, not 404, for what is not there
    this.#allow(["s3:ListBucket"], [registry, artefacts, model]);
    this.#allow(["secretsmanager:GetSecretValue"], [keys.secretArn]);
    this.#allow(["kms:Decrypt"], [places.controlKeyArn, places.artefactKeyArn], "s3");
    this.#allow(["kms:Decrypt"], [keys.encryptionKey.keyArn], "secretsmanager");
  }

  /** @param service - through which alone */
  #allow(actions: string[], resources: string[], service?: string): void {
    const through = `${service}.${Aws.REGION}.amazonaws.com`;
    const conditions = service === undefined ? undefined : { StringEquals: { "kms:ViaService": through } };
    this.addToPolicy(new PolicyStatement({ actions, resources, conditions }));
  }
}
