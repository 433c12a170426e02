import type { Environment } from "@fedmkt/shared/contracts/environment.ts";
import { GatewayVpcEndpointAwsService, SecurityGroup, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import {
  Cluster,
  type ContainerDefinition,
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LogDrivers,
  OperatingSystemFamily,
} from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import { houseLogGroup } from "./house-log-group.ts";
import { KEYS } from "./key-patterns.ts";
import type { PrivateBucket } from "./private-bucket.ts";

export interface WorkerTaskProps {
  /** the worker's image, by registry name */
  image: string;
  environment: Environment & { FEDMKT_HEARTBEAT_SECONDS: string };
  control: PrivateBucket;
  artefacts: PrivateBucket;
}

/**
 * Where workers run: a cluster in a network of its own, without NAT (tasks reach S3 through the gateway, other services by
 * their public address), and the one task definition of the one container image; the job says what it does.
 */
export class WorkerTask extends Construct {
  readonly cluster: Cluster;
  readonly definition: FargateTaskDefinition;
  readonly container: ContainerDefinition;
  readonly securityGroup: SecurityGroup;

  constructor(scope: Construct, id: string, props: WorkerTaskProps) {
    super(scope, id);
    const vpc = new Vpc(this, "Network", {
      maxAzs: 2,
      natGateways: 0,
      restrictDefaultSecurityGroup: false, // would be a custom resource
      subnetConfiguration: [{ name: "workers", subnetType: SubnetType.PUBLIC }],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    this.cluster = new Cluster(this, "Cluster", { vpc });
    this.securityGroup = new SecurityGroup(this, "Outbound", {
      vpc,
      description: "FedMKT workers: outbound only",
      allowAllOutbound: true,
    });
    this.definition = new FargateTaskDefinition(this, "Definition", {
      cpu: 4096,
      memoryLimitMiB: 16384,
      ephemeralStorageGiB: 50,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.X86_64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    this.container = this.definition.addContainer("worker", {
      image: ContainerImage.fromRegistry(props.image),
      environment: { ...props.environment },
      logging: LogDrivers.awsLogs({ streamPrefix: "worker", logGroup: houseLogGroup(this, "Log") }),
      readonlyRootFilesystem: false, // models are cached on the task's own disk
    });
    // one role for every party: a client's own, in its own account, comes with the clients' stack
    props.control.grantReadOf(this.definition.taskRole, KEYS.runs, KEYS.material);
    props.artefacts.grantReadOf(this.definition.taskRole, KEYS.runs, KEYS.maps);
    props.artefacts.grantWriteOf(this.definition.taskRole, KEYS.parties);
  }
}
