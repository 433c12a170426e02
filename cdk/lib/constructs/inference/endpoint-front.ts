import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import { Aws } from "aws-cdk-lib";
import { Peer, Port, SecurityGroup, type Vpc } from "aws-cdk-lib/aws-ec2";
import { CfnListener, CfnLoadBalancer, CfnTargetGroup } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { CfnBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { AccessLogBucket } from "../access-log-bucket.ts";
import { acknowledge } from "../explain-finding.ts";
import { GATEWAY_PORT } from "./endpoint-task.ts";
import { LONGEST_ANSWER } from "./endpoint-times.ts";

const HTTPS = Port.tcp(443);
/** TLS 1.2 and 1.3, forward secrecy; what AWS recommends. */
const TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06";

const READY = { path: "/ready", seconds: 10, timesWell: 2, timesIll: 3 };

export interface EndpointFrontProps {
  name: string;
  inference: InferenceSettings;
  vpc: Vpc;
  /** of the endpoint's tasks: the load balancer alone is let in */
  tasks: SecurityGroup;
  /** where S3 notes who touches the load balancer's log */
  accessLogBucket: string;
}

/**
 * What the world sees of an endpoint: a load balancer that speaks TLS and nothing else, so that no key travels in the clear, and that
 * sends each request to the task with the fewest under way.
 *
 * A web application firewall is not there: what is asked is checked by the gateway (sizes, fields, keys, rates), and rules for web pages
 * turn prompts away that quote SQL. It can be put before the load balancer by its ARN, which is an output.
 */
export class EndpointFront extends Construct {
  readonly targetGroup: CfnTargetGroup;
  readonly listener: CfnListener;
  /** `app/…/…` and `targetgroup/…/…`, as CloudWatch's dimensions name them */
  readonly dimensions: { LoadBalancer: string; TargetGroup: string };
  /** what whoever operates the endpoint must know */
  readonly outputs: Record<"Address" | "LoadBalancerArn" | "AccessLogBucket", string>;

  constructor(scope: Construct, id: string, props: EndpointFrontProps) {
    super(scope, id);
    const { inference, vpc } = props;
    const group = this.#letIn(vpc, inference.addresses);
    props.tasks.addIngressRule(group, Port.tcp(GATEWAY_PORT), "the load balancer");
    group.addEgressRule(props.tasks, Port.tcp(GATEWAY_PORT), "the endpoint's tasks");
    const log = this.#accessLog(props.name, props.accessLogBucket);
    const balancer = new CfnLoadBalancer(this, "LoadBalancer", {
      type: "application",
      scheme: "internet-facing",
      subnets: vpc.publicSubnets.map(({ subnetId }) => subnetId),
      securityGroups: [group.securityGroupId],
      loadBalancerAttributes: attributes({
        "idle_timeout.timeout_seconds": String(LONGEST_ANSWER.toSeconds()),
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.desync_mitigation_mode": "strictest",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": log.bucketName,
        "access_logs.s3.prefix": props.name,
      }),
    });
    balancer.node.addDependency(log); // its policy too: the load balancer tries to write when it is made
    this.targetGroup = new CfnTargetGroup(this, "Tasks", {
      vpcId: vpc.vpcId,
      targetType: "ip",
      protocol: "HTTP",
      port: GATEWAY_PORT,
      healthCheckPath: READY.path,
      healthCheckIntervalSeconds: READY.seconds,
      healthCheckTimeoutSeconds: READY.seconds / 2,
      healthyThresholdCount: READY.timesWell,
      unhealthyThresholdCount: READY.timesIll,
      matcher: { httpCode: "200" },
      targetGroupAttributes: attributes({
        "deregistration_delay.timeout_seconds": String(LONGEST_ANSWER.toSeconds()),
        "load_balancing.algorithm.type": "least_outstanding_requests",
      }),
    });
    this.listener = new CfnListener(this, "Listener", {
      loadBalancerArn: balancer.ref,
      port: 443,
      protocol: "HTTPS",
      sslPolicy: TLS_POLICY,
      certificates: [{ certificateArn: inference.certificateArn }],
      defaultActions: [{ type: "forward", targetGroupArn: this.targetGroup.ref }],
    });
    this.dimensions = {
      LoadBalancer: balancer.attrLoadBalancerFullName,
      TargetGroup: this.targetGroup.attrTargetGroupFullName,
    };
    this.outputs = {
      /** a name of AWS's; the certificate's name must lead to it */
      Address: balancer.attrDnsName,
      LoadBalancerArn: balancer.ref,
      AccessLogBucket: log.bucketName,
    };
  }

  #letIn(vpc: Vpc, addresses: readonly string[]): SecurityGroup {
    const group = new SecurityGroup(this, "Inbound", {
      vpc,
      description: "FedMKT inference: who may ask",
      allowAllOutbound: false,
    });
    for (const range of addresses) group.addIngressRule(Peer.ipv4(range), HTTPS, "HTTPS");
    if (addresses.some((range) => range.endsWith("/0")))
      acknowledge(group, {
        "AwsSolutions-EC23":
          "An endpoint for everybody who has a key, by HTTPS alone; inferenceAddresses names ranges where clients have some.",
      });
    return group;
  }

  /** Who asked when, for how long, and the answer's status: not what was asked. */
  #accessLog(name: string, accessLogBucket: string): AccessLogBucket {
    const bucket = new AccessLogBucket(this, "AccessLog");
    bucket.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
        actions: ["s3:PutObject"],
        resources: [bucket.arnForObjects(`${name}/AWSLogs/${Aws.ACCOUNT_ID}/*`)],
      }),
    );
    (bucket.node.defaultChild as CfnBucket).loggingConfiguration = {
      destinationBucketName: accessLogBucket,
      logFilePrefix: `${name}/`,
    };
    return bucket;
  }
}

function attributes(values: Record<string, string>): { key: string; value: string }[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
