import type { EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import {
  contextName,
  INFERENCE_CHOICE,
  type InferenceChoice,
  type InferenceSettings,
  inferenceSettings,
  VLLM_WITHOUT_LORA,
} from "@fedmkt/shared/contracts/inference-settings.ts";
import { endpointCost } from "@fedmkt/shared/core/cost/endpoint-cost.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { parseWholeJson } from "@fedmkt/shared/formats/whole-json.ts";
import { MAX_CONFIG_BYTES } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";
import type { CdkContext } from "./cdk-program.ts";
import type { Cloud } from "./cloud.ts";

/** Hugging Face's have lists of settings in objects. */
const MAX_CONFIG_DEPTH = 32;

/** What Fargate's tasks are priced as. */
const FARGATE = "fargate-4vcpu-16gb";

/** Options of an endpoint, by the setting that each is. */
const OPTIONS = {
  model: ["inference-model", "s3://…", "serve this base model: in the deployment's public bucket, or below material/"],
  name: ["inference-name", "name", "of one of several endpoints (default: the one without a name)"],
  servedAs: ["inference-served-as", "id", "the base model's name in requests (default: its folder's)"],
  service: ["inference-service", "gpu|cpu", "vLLM on GPU machines, or the engine on Fargate (default: gpu)"],
  certificateArn: ["inference-certificate", "arn", "of AWS Certificate Manager; needed: keys travel by TLS alone"],
  party: ["inference-party", "id", "serve this party's adapters alone (default: all that fit the model)"],
  tasks: ["inference-tasks", "least-most", "how many run (default: 0-2; 0: none while nobody asks)"],
  addresses: ["inference-addresses", "a/n,b/n", "who may ask: IPv4 ranges (default: everybody who has a key)"],
  vllmImage: ["inference-image", "name", "vLLM's image, by a version's tag or a digest"],
  instanceTypes: ["inference-instances", "a,b", "machines of one GPU, the best first (default: g6.xlarge,g5.xlarge)"],
  loraRank: ["inference-lora-rank", "n", "highest rank of an adapter on a GPU: 1, 8, 16, 32, 64 … 512 (default: 64)"],
  contextTokens: ["inference-context", "n", "most tokens of a prompt and its answer (default: the model's)"],
} satisfies Record<keyof InferenceChoice, [option: string, valueHint: string, description: string]>;

export const INFERENCE_ARGUMENTS: ArgsDef = Object.fromEntries(
  Object.values(OPTIONS).map(([option, valueHint, description]) => [
    option,
    { type: "string", valueHint, description },
  ]),
);

/** An endpoint that is to be deployed. */
export interface EndpointToDeploy {
  settings: InferenceSettings;
  /** for the CDK's app */
  context: CdkContext;
  /** of its stack, and of all that is in it */
  stack: string;
}

/**
 * What the options say of an endpoint, as far as it can be judged without the deployment's account.
 * @returns null where they say nothing
 * @throws InvalidInputError `INFERENCE_INVALID` naming the option
 */
export function readInference(
  { args }: Pick<CommandContext, "args">,
  environment: EnvironmentName,
): Omit<EndpointToDeploy, "stack"> | null {
  const said = INFERENCE_CHOICE.flatMap((setting): [keyof InferenceChoice, string][] => {
    const text = args[OPTIONS[setting][0]];
    return typeof text === "string" ? [[setting, text]] : [];
  });
  const settings = readSettings(environment, Object.fromEntries(said));
  if (settings === null) return null;
  return { settings, context: Object.fromEntries(said.map(([setting, text]) => [contextName(setting), text])) };
}

/**
 * Where it will be.
 * @throws InvalidInputError `INFERENCE_INVALID` where model or certificate are another deployment's, account's or region's
 */
export function placeEndpoint(asked: Omit<EndpointToDeploy, "stack">, cloud: Cloud): EndpointToDeploy {
  const { settings } = asked;
  const buckets = [cloud.bucket("public"), cloud.bucket("control")];
  if (!buckets.includes(settings.model.bucket))
    throw refused("model", `a model in ${buckets.map((name) => `s3://${name}`).join(" or ")}`, settings.model.location);
  if (settings.certificateArn.split(":")[3] !== cloud.region)
    throw refused("certificateArn", `a certificate of ${cloud.region}`, settings.certificateArn);
  return { ...asked, stack: cloud.names.endpoint(settings.name) };
}

/** The app's context has names of its own: a person knows the options. */
function readSettings(environment: EnvironmentName, choice: InferenceChoice): InferenceSettings | null {
  try {
    return inferenceSettings(environment, choice);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const options = new Map(INFERENCE_CHOICE.map((setting) => [contextName(setting), `--${OPTIONS[setting][0]}`]));
    const message = error.message.replaceAll(/\binference[A-Z]\w*/g, (name) => options.get(name) ?? name);
    throw new InvalidInputError(error.code, message, { cause: error });
  }
}

/** The endpoint that a load balancer would never find ready: a model that is not there is told now, not after half an hour. */
export async function requireModel(
  { settings: { model, service } }: EndpointToDeploy,
  { objects }: Cloud,
): Promise<void> {
  const key = `${model.prefix}/config.json`;
  if ((await objects.head(model.bucket, key)) === null)
    throw refused("model", "a model's folder with its config.json", model.location);
  const config = await objects.get(model.bucket, key, MAX_CONFIG_BYTES);
  const parsed = parseWholeJson(config, MAX_CONFIG_DEPTH, (reason) =>
    refused("model", `a config.json that can be read (${reason})`, model.location),
  );
  const { model_type: type } = Object(parsed) as { model_type?: unknown };
  if (service === "gpu" && VLLM_WITHOUT_LORA.includes(String(type)))
    throw refused("service", `cpu: vLLM has no LoRA for ${type} models, which the engine has`, service);
}

/** In one line. */
export function describeCost({ settings: { service, instanceTypes, tasks }, stack }: EndpointToDeploy): string {
  const machine = service === "gpu" ? instanceTypes[0] : FARGATE;
  const { idleMonth, taskHour } = endpointCost(service, machine);
  const running = `${tasks.least} to ${tasks.most} tasks at $${taskHour.toFixed(2)} an hour each (${machine})`;
  return `${stack} costs about $${Math.round(idleMonth)} a month while nothing runs, and runs ${running}`;
}

function refused(setting: keyof InferenceChoice, wanted: string, got: string): InvalidInputError {
  return new InvalidInputError("INFERENCE_INVALID", `--${OPTIONS[setting][0]}: expected ${wanted}, got ${got}`);
}
