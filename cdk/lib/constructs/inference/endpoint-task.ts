import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import type { ModelFetchEnvironment, ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { CfnTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { Construct } from "constructs";
import { acknowledge } from "../explain-finding.ts";
import type { PartyPlaces } from "../party-places.ts";
import { FARGATE_TASK, imageContainer, OPEN_VARIABLES, SCRATCH_VOLUME } from "../worker-container.ts";
import { COLD_START, STOP } from "./endpoint-times.ts";
import { VLLM_URL, vllmContainer } from "./vllm-container.ts";

/** Answers the load balancer. */
export const GATEWAY_CONTAINER = "gateway";
export const GATEWAY_PORT = 8080;

/** Fetches the base model, and ends. */
const MODEL_CONTAINER = "model";

/** What the containers of a GPU task share; the image says whose the folder is. */
const SHARED = { volume: "shared", containerPath: "/srv/fedmkt" };
const MODEL_FOLDER = `${SHARED.containerPath}/model`;
const ADAPTER_FOLDER = `${SHARED.containerPath}/adapters`;

/** Of SIGTERM's time: for the pause before answers are waited for, and for what is left when they have ended. */
const SPARE_SECONDS = 20;

/** Answers at work at once: what vLLM batches on one GPU, and what Fargate's four processors do. */
const CONCURRENT = { gpu: "128", cpu: "16" };

/** In MiB, of a GPU machine's; the rest is vLLM's. */
const GATEWAY_MEMORY = 1024;
const MODEL_MEMORY = 512;

export interface EndpointTaskProps {
  name: string;
  inference: InferenceSettings;
  places: PartyPlaces;
  keysSecretArn: string;
  taskRoleArn: string;
  executionRoleArn: string;
  /** the workers' */
  image: string;
  logGroupName: string;
}

/**
 * The task of an endpoint. On GPU machines three containers: one fetches the base model and ends, vLLM computes, the gateway answers; the
 * gateway goes first when the task is stopped, since ECS ends containers in the opposite order of their dependencies. On Fargate the one
 * container computes by itself.
 */
export class EndpointTask extends Construct {
  readonly definitionArn: string;

  constructor(scope: Construct, id: string, props: EndpointTaskProps) {
    super(scope, id);
    const { name, inference } = props;
    const parts = inference.service === "gpu" ? onGpu(props) : onFargate(props);
    const definition = new CfnTaskDefinition(this, "Definition", {
      family: name,
      networkMode: "awsvpc",
      taskRoleArn: props.taskRoleArn,
      executionRoleArn: props.executionRoleArn,
      ...parts,
    });
    acknowledge(definition, OPEN_VARIABLES);
    this.definitionArn = definition.ref;
  }
}

function onFargate(props: EndpointTaskProps) {
  return {
    requiresCompatibilities: ["FARGATE"],
    cpu: FARGATE_TASK.cpu,
    memory: FARGATE_TASK.memory,
    ephemeralStorage: { sizeInGiB: FARGATE_TASK.diskGibibytes },
    volumes: [SCRATCH_VOLUME],
    containerDefinitions: [gateway(props, { FEDMKT_SERVE_MODEL: props.inference.model.location })],
  };
}

function onGpu(props: EndpointTaskProps) {
  const { inference, logGroupName } = props;
  const shared = { sourceVolume: SHARED.volume, containerPath: SHARED.containerPath };
  const container = gateway(props, {
    FEDMKT_SERVE_MODEL: MODEL_FOLDER,
    FEDMKT_SERVE_UPSTREAM: VLLM_URL,
    FEDMKT_SERVE_ADAPTER_FOLDER: ADAPTER_FOLDER,
  });
  return {
    requiresCompatibilities: ["EC2"],
    volumes: [SCRATCH_VOLUME, { name: SHARED.volume }],
    containerDefinitions: [
      {
        ...container,
        memoryReservation: GATEWAY_MEMORY,
        mountPoints: [...container.mountPoints, { ...shared, readOnly: false }],
        dependsOn: [
          { containerName: MODEL_CONTAINER, condition: "SUCCESS" },
          { containerName: "vllm", condition: "START" },
        ],
      },
      fetchModel(props, { ...shared, readOnly: false }),
      vllmContainer({
        inference,
        modelFolder: MODEL_FOLDER,
        sharedMount: { ...shared, readOnly: true },
        after: MODEL_CONTAINER,
        logGroupName,
      }),
    ],
  };
}

function gateway(
  props: EndpointTaskProps,
  computing: Partial<Record<keyof ServingEnvironment, string>>,
): ReturnType<typeof imageContainer> {
  const { inference, places } = props;
  const environment = {
    ...computing,
    FEDMKT_SERVE_NAME: inference.servedAs,
    FEDMKT_SERVE_REGISTRY: `s3://${places.bucketName("registry")}`,
    ...(inference.party !== undefined && { FEDMKT_SERVE_PARTY: inference.party }),
    FEDMKT_SERVE_KEYS: props.keysSecretArn,
    FEDMKT_SERVE_HOST: "0.0.0.0",
    FEDMKT_SERVE_PORT: String(GATEWAY_PORT),
    FEDMKT_SERVE_CONCURRENT: CONCURRENT[inference.service],
    ...(inference.contextTokens !== undefined && { FEDMKT_SERVE_CONTEXT: String(inference.contextTokens) }),
    FEDMKT_SERVE_DRAIN_SECONDS: String(STOP.toSeconds() - SPARE_SECONDS),
    FEDMKT_SERVE_MEASURED_AS: props.name,
    FEDMKT_DEVICE: "cpu",
  } satisfies Partial<Record<keyof ServingEnvironment, string>>;
  return {
    ...ofImage(props, GATEWAY_CONTAINER, environment),
    portMappings: [{ containerPort: GATEWAY_PORT, protocol: "tcp" }],
    stopTimeout: STOP.toSeconds(),
  };
}

function fetchModel(
  props: EndpointTaskProps,
  shared: CfnTaskDefinition.MountPointProperty,
): CfnTaskDefinition.ContainerDefinitionProperty {
  const environment = {
    FEDMKT_FETCH_MODEL: props.inference.model.location,
    FEDMKT_FETCH_FOLDER: MODEL_FOLDER,
  } satisfies Record<keyof ModelFetchEnvironment, string>;
  const { mountPoints, healthCheck: _, ...container } = ofImage(props, MODEL_CONTAINER, environment);
  return {
    ...container,
    essential: false, // its end is what the others wait for
    memoryReservation: MODEL_MEMORY,
    mountPoints: [...mountPoints, shared],
    startTimeout: COLD_START.toSeconds(),
  };
}

function ofImage({ image, logGroupName }: EndpointTaskProps, name: string, environment: Record<string, string>) {
  return imageContainer(name, {
    image,
    environment: Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
    resourceRequirements: undefined,
    logGroupName,
    party: name,
  });
}
