import { Aws } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { explainWildcards } from "./explain-finding.ts";
import { KEYS, keyWildcards, partyKeys } from "./key-patterns.ts";
import type { PartyPlaces } from "./party-places.ts";
import { type TrustedWorker, trustWorker } from "./trust-worker.ts";

export interface PartyRoleProps {
  settings: DeploymentSettings;
  /** its id, or a parameter that holds it */
  party: string;
  kind: "server" | "client";
  places: PartyPlaces;
  /** a worker outside of the cluster, which takes the role too */
  worker?: TrustedWorker;
}

/**
 * The role in which one party's jobs run: it reads what every party may read and what was made for this one, and writes
 * below this one's prefix alone.
 */
export class PartyRole extends Role {
  constructor(scope: Construct, id: string, props: PartyRoleProps) {
    const { settings, party, kind, places } = props;
    super(scope, id, {
      roleName: settings.names.party(party),
      description: "FedMKT: the jobs of one party",
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    });
    if (props.worker) trustWorker(this, props.worker);
    const own = partyKeys(party, kind);
    const below = (bucket: string, keys: string[]) => keys.map((key) => `${bucket}/${key}`);
    const [control, shared, artefacts] = [
      places.bucketArn("control"),
      places.bucketArn("public"),
      places.bucketArn("artefacts"),
    ];
    const allow = (actions: string[], resources: string[]) => {
      this.addToPolicy(new PolicyStatement({ actions, resources }));
      explainWildcards(this, keyWildcards(resources));
    };
    allow(
      ["s3:GetObject"],
      [
        ...below(control, [KEYS.plan, KEYS.publicSet, KEYS.evaluationSets, own.material]),
        ...below(shared, [KEYS.everything]),
        ...below(artefacts, [own.jobs, own.aligned, own.selection, KEYS.maps]),
        // the server's adapter is never averaged
        ...(kind === "client" ? below(artefacts, [KEYS.averaged]) : []),
      ],
    );
    // names, not contents: without it S3 answers 403, not 404, for what is not there
    allow(["s3:ListBucket"], [control, shared, artefacts]);
    allow(["s3:PutObject", "s3:AbortMultipartUpload"], below(artefacts, [own.jobs, own.usage]));
    allow(["kms:Decrypt"], [places.controlKeyArn]);
    allow(["kms:Decrypt", "kms:GenerateDataKey"], [places.artefactKeyArn]);
    allow(["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"], places.machineArns());
  }
}
