import { CfnService, type Cluster } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import type { EndpointFront } from "./endpoint-front.ts";
import { GATEWAY_CONTAINER, GATEWAY_PORT } from "./endpoint-task.ts";
import { COLD_START } from "./endpoint-times.ts";

export interface EndpointServiceProps {
  name: string;
  cluster: Cluster;
  taskDefinitionArn: string;
  /** by its name */
  capacityProvider: string;
  subnetIds: string[];
  securityGroupId: string;
  /** whether a task has an address of its own to the world, where nothing else leads out */
  publicAddress: boolean;
  front: EndpointFront;
}

/**
 * Keeps an endpoint's tasks running, as many as scaling says. A new version comes beside the old one, which goes once the new one answers
 * `/ready`; where it does not, the old one stays. A task that goes gets no new request, ends its answers, and is told to end then.
 */
export class EndpointService extends Construct {
  readonly service: CfnService;

  constructor(scope: Construct, id: string, props: EndpointServiceProps) {
    super(scope, id);
    this.service = new CfnService(this, "Service", {
      serviceName: props.name,
      cluster: props.cluster.clusterArn,
      taskDefinition: props.taskDefinitionArn,
      // no desired count: one when the service is made, afterwards whatever scaling has made of it
      capacityProviderStrategy: [{ capacityProvider: props.capacityProvider, weight: 1 }],
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: props.subnetIds,
          securityGroups: [props.securityGroupId],
          ...(props.publicAddress && { assignPublicIp: "ENABLED" }),
        },
      },
      loadBalancers: [
        {
          targetGroupArn: props.front.targetGroup.ref,
          containerName: GATEWAY_CONTAINER,
          containerPort: GATEWAY_PORT,
        },
      ],
      healthCheckGracePeriodSeconds: COLD_START.toSeconds(),
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      },
      enableEcsManagedTags: true,
      propagateTags: "SERVICE",
    });
    this.service.addResourceDependency(props.front.listener); // ECS refuses a target group that no load balancer asks
  }
}
