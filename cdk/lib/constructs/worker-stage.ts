import {
  RETRYABLE_ECS_ERRORS,
  RETRYABLE_ERRORS,
  RETRYABLE_SQS_ERRORS,
  type WorkerStageName,
} from "@fedmkt/shared/contracts/stages.ts";
import { Aws, Duration, Fn } from "aws-cdk-lib";
import {
  Chain,
  Choice,
  Condition,
  CustomState,
  type IChainable,
  type INextable,
  JsonPath,
} from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { retryService, retryTransient } from "./retry.ts";
import type { ShardQueue } from "./shard-queue.ts";
import type { WorkerCluster } from "./worker-cluster.ts";
import { WORKER_CONTAINER, WORKER_HEARTBEAT } from "./worker-container.ts";

/** Longest that one job may take in the cluster. */
const WORKER_TIMEOUT = Duration.days(2);

/** A site may be switched off overnight; a worker that is there is heard far more often. */
const SITE_HEARTBEAT = Duration.hours(6);
/** Longest that one job may wait and take at a site. */
const SITE_TIMEOUT = Duration.days(3);

export interface WorkerHosts {
  settings: DeploymentSettings;
  cluster: WorkerCluster;
  shards: ShardQueue;
}

export interface WorkerStage {
  stage: WorkerStageName;
  /** where {compute, party, execution, job} lies in the state's input */
  at: string;
  /** false: it runs in the coordinator's cluster, always */
  atSites: boolean;
}

/**
 * One job of one worker. In the cluster it is tried on a spot machine once, then on demand with every retry: a machine that
 * is taken away costs no try, and the second worker goes on from the first one's checkpoint. At a site it waits in the
 * party's queue until the site's own worker fetches it.
 */
export function workerStage(scope: Construct, name: string, hosts: WorkerHosts, what: WorkerStage): Chain {
  const onDemand = inCluster(scope, `${name}OnDemand`, hosts, what, false);
  retryTransient(onDemand);
  retryService(onDemand, RETRYABLE_ECS_ERRORS);
  let [first, ends]: [CustomState, INextable[]] = [onDemand, [onDemand]];
  if (hosts.settings.spot) {
    const spot = inCluster(scope, `${name}OnSpot`, hosts, what, true);
    spot.addCatch(onDemand, { errors: [...RETRYABLE_ERRORS, ...RETRYABLE_ECS_ERRORS], resultPath: JsonPath.DISCARD });
    [first, ends] = [spot, [spot, onDemand]];
  }
  if (!what.atSites) return Chain.custom(first, ends, onDemand);
  const site = atSite(scope, `${name}AtSite`, hosts, what);
  const where = new Choice(scope, `${name}Where`)
    .when(Condition.stringEquals(`${what.at}.compute`, "worker"), site as IChainable)
    .otherwise(first);
  return Chain.custom(where, [...ends, site], site);
}

function inCluster(
  scope: Construct,
  name: string,
  { settings, cluster }: WorkerHosts,
  { stage, at }: WorkerStage,
  spot: boolean,
): CustomState {
  return new CustomState(scope, name, {
    stateJson: {
      Type: "Task",
      Comment: stage,
      Resource: `arn:${Aws.PARTITION}:states:::ecs:runTask.waitForTaskToken`,
      HeartbeatSeconds: WORKER_HEARTBEAT.toSeconds(),
      TimeoutSeconds: WORKER_TIMEOUT.toSeconds(),
      ResultPath: null,
      Parameters: {
        Cluster: cluster.cluster.clusterArn,
        "TaskDefinition.$": `States.Format('${settings.names.party("{}")}', ${at}.party)`,
        // by this name stop-tasks finds whatever still runs when the run has ended
        "StartedBy.$": `${at}.execution`,
        CapacityProviderStrategy: [
          { CapacityProvider: spot ? cluster.providers.spotProvider : cluster.providers.onDemandProvider, Weight: 1 },
        ],
        NetworkConfiguration: {
          AwsvpcConfiguration: {
            Subnets: cluster.network.vpc.publicSubnets.map(({ subnetId }) => subnetId),
            SecurityGroups: [cluster.network.securityGroup.securityGroupId],
            AssignPublicIp: cluster.publicAddress,
          },
        },
        Overrides: {
          ContainerOverrides: [
            {
              Name: WORKER_CONTAINER,
              Environment: [
                { Name: "FEDMKT_JOB", "Value.$": `States.JsonToString(${at}.job)` },
                { Name: "FEDMKT_TASK_TOKEN", "Value.$": "$$.Task.Token" },
                { Name: "FEDMKT_SPOT", Value: String(spot) },
              ],
            },
          ],
        },
      },
    },
  });
}

function atSite(scope: Construct, name: string, { settings, shards }: WorkerHosts, { stage, at }: WorkerStage) {
  const { names } = settings;
  // every queue of an account and region has the same address but for its name
  const address = Fn.select(0, Fn.split(names.shardQueue, shards.queue.queueUrl));
  const state = new CustomState(scope, name, {
    stateJson: {
      Type: "Task",
      Comment: stage,
      Resource: `arn:${Aws.PARTITION}:states:::sqs:sendMessage.waitForTaskToken`,
      HeartbeatSeconds: SITE_HEARTBEAT.toSeconds(),
      TimeoutSeconds: SITE_TIMEOUT.toSeconds(),
      ResultPath: null,
      Parameters: {
        "QueueUrl.$": `States.Format('${address}${names.party("{}")}', ${at}.party)`,
        MessageBody: { "taskToken.$": "$$.Task.Token", "job.$": `${at}.job` },
      },
    },
  });
  retryTransient(state);
  retryService(state, RETRYABLE_SQS_ERRORS);
  return state;
}
