import { Aws, CfnOutput, CfnParameter, DefaultStackSynthesizer, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { AccessLogBucket } from "./constructs/access-log-bucket.ts";
import { PrivateStore } from "./constructs/private-store.ts";
import { siloParameters } from "./constructs/silo-parameters.ts";
import { SiteWorkers } from "./constructs/site-workers.ts";
import { trustWorker } from "./constructs/trust-worker.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";

/**
 * What a silo has in an account of its own: its private data, and a role whose worker reads them there and takes the party's
 * role at the coordinator for everything else; where it wants them, GPU machines for that worker. Parameters alone say whose it is.
 */
export class SiteStack extends Stack {
  constructor(scope: Construct, id: string, props: { settings: DeploymentSettings }) {
    // a site installs one file: neither CDK nor a bootstrapped account
    super(scope, id, { synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }) });
    const { settings } = props;
    const { client, worker, externalId, owner } = siloParameters(this);
    const partyRole = new CfnParameter(this, "PartyRoleArn", {
      type: "String",
      allowedPattern: "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$",
      description: "the party's role at the coordinator, as the coordinator told it",
    });
    const role = new Role(this, "Role", {
      roleName: settings.names.siteStack(client.valueAsString),
      description: "FedMKT: a worker at its own site",
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    });
    trustWorker(role, worker);
    const accessLog = new AccessLogBucket(this, "AccessLog");
    const store = new PrivateStore(this, "Private", {
      settings,
      alias: `${settings.names.siteStack(client.valueAsString)}-private`,
      accessLog: { bucketName: accessLog.bucketName, prefix: "private/" },
      readerRoleArn: role.roleArn,
      owner,
    });
    for (const statement of store.readerStatements(role)) role.addToPolicy(statement);
    role.addToPolicy(new PolicyStatement({ actions: ["sts:AssumeRole"], resources: [partyRole.valueAsString] }));
    new SiteWorkers(this, "Workers", {
      settings,
      client: client.valueAsString,
      role,
      partyRoleArn: partyRole.valueAsString,
      externalId,
    });
    new CfnOutput(this, "WorkerRoleArn", { value: role.roleArn });
    new CfnOutput(this, "PrivateBucket", { value: store.bucket.bucketName });
  }
}
