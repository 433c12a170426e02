import { Stack } from "aws-cdk-lib";
import { GatewayVpcEndpointAwsService, SecurityGroup, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { type CfnCluster, Cluster } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { houseLogGroup } from "./house-log-group.ts";

/**
 * Where workers run: a cluster in a network of its own, without NAT (tasks reach S3 through the gateway, other services by
 * their public address), the log of all of them, and the role by which ECS fetches the image and writes that log.
 */
export class WorkerCluster extends Construct {
  readonly vpc: Vpc;
  readonly cluster: Cluster;
  readonly securityGroup: SecurityGroup;
  readonly executionRole: Role;
  readonly logGroup: LogGroup;
  /** names of the capacity providers that jobs are started on */
  readonly spotProvider: string = "FARGATE_SPOT";
  readonly onDemandProvider: string = "FARGATE";
  /** ENABLED where a task has no other way out than an address of its own */
  readonly publicAddress: string = "ENABLED";

  constructor(scope: Construct, id: string, props: { settings: DeploymentSettings }) {
    super(scope, id);
    const { settings } = props;
    this.vpc = new Vpc(this, "Network", {
      maxAzs: 2,
      natGateways: 0,
      restrictDefaultSecurityGroup: false, // would be a custom resource
      subnetConfiguration: [{ name: "workers", subnetType: SubnetType.PUBLIC }],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    this.cluster = new Cluster(this, "Cluster", { vpc: this.vpc, clusterName: settings.names.cluster });
    (this.cluster.node.defaultChild as CfnCluster).capacityProviders = ["FARGATE", "FARGATE_SPOT"];
    this.securityGroup = new SecurityGroup(this, "Outbound", {
      vpc: this.vpc,
      description: "FedMKT workers: outbound only",
      allowAllOutbound: true,
    });
    this.logGroup = houseLogGroup(this, "Log", settings, settings.names.workerLogGroup);
    this.executionRole = new Role(this, "Execution", {
      assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com"),
      description: `${settings.names.cluster}: fetches the workers' image and writes their log`,
    });
    this.executionRole.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [this.logGroup.logGroupArn],
      }),
    );
  }

  /** Every task of the cluster. */
  get taskArns(): string {
    return Stack.of(this).formatArn({
      service: "ecs",
      resource: "task",
      resourceName: `${this.cluster.clusterName}/*`,
    });
  }
}
