import {
  FlowLog,
  FlowLogDestination,
  FlowLogResourceType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import type { CloudCapacity } from "./cloud-capacity.ts";
import { houseLogGroup } from "./house-log-group.ts";
import { standUnder } from "./stand-under.ts";

const ADDRESSES = "10.0.0.0/16";
const HTTPS = Port.tcp(443);

export interface WorkerNetworkProps {
  settings: DeploymentSettings;
  capacity: CloudCapacity;
  /** whether tasks go out by their machine's address and so need no endpoint in the network */
  tasksShareAddress?: boolean;
}

/**
 * The workers' network: two zones, no NAT (it would cost more than all else while nothing runs), no open port.
 *
 * Machines and Fargate tasks have public addresses for what they send out. A task on a GPU machine has none, so it reaches S3
 * through the gateway and Step Functions through an endpoint inside the network, and nothing else: a job can send what it reads
 * nowhere but there.
 */
export class WorkerNetwork extends Construct {
  readonly vpc: Vpc;
  /** of every worker: outbound only */
  readonly securityGroup: SecurityGroup;

  constructor(scope: Construct, id: string, props: WorkerNetworkProps) {
    super(scope, id);
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr(ADDRESSES),
      maxAzs: 2,
      natGateways: 0,
      // Closing the default security group takes a custom resource with a function of its own, which no emulator runs, and
      // the leave to change any group. Nothing here is ever put into that group: every worker names its own.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: "workers", subnetType: SubnetType.PUBLIC }],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    this.securityGroup = new SecurityGroup(this, "Outbound", {
      vpc: this.vpc,
      description: "FedMKT workers: outbound only",
      allowAllOutbound: true,
    });
    standUnder(props.capacity.condition, this.flowLog(props.settings));
    if (props.settings.workers === "gpu" && !props.tasksShareAddress)
      standUnder(props.capacity.condition, this.stepFunctionsEndpoint());
  }

  /** Who spoke with whom, refused connections included. */
  private flowLog(settings: DeploymentSettings): Construct {
    const flows = new Construct(this, "Flows");
    new FlowLog(flows, "FlowLog", {
      resourceType: FlowLogResourceType.fromVpc(this.vpc),
      destination: FlowLogDestination.toCloudWatchLogs(houseLogGroup(flows, "Log", settings)),
    });
    return flows;
  }

  /** Workers answer their tokens through it. */
  private stepFunctionsEndpoint(): Construct {
    const answers = new Construct(this, "Answers");
    const securityGroup = new SecurityGroup(answers, "Inbound", {
      vpc: this.vpc,
      description: "FedMKT workers answer Step Functions here",
      allowAllOutbound: false,
    });
    securityGroup.addIngressRule(Peer.ipv4(ADDRESSES), HTTPS, "HTTPS from this network");
    new InterfaceVpcEndpoint(answers, "StepFunctions", {
      vpc: this.vpc,
      service: InterfaceVpcEndpointAwsService.STEP_FUNCTIONS,
      securityGroups: [securityGroup],
      open: false, // the group above says who may
    });
    return answers;
  }
}
