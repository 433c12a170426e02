import { InvalidInputError } from "../core/errors.ts";
import type { EnvironmentName } from "./deployment.ts";
import { PARTY_PATTERN } from "./identifier.ts";
import { servedName } from "./serving-environment.ts";

/** What one inference endpoint's stack is built by. */
export interface InferenceSettings {
  /** of one of several endpoints; absent: the one that has none */
  name?: string;
  /** the base model: a folder in the deployment's public bucket, or below `material/` in its control bucket */
  model: { location: string; bucket: string; prefix: string };
  /** the base model's name towards those who ask */
  servedAs: string;
  /** `gpu`: vLLM on GPU machines behind the gateway; `cpu`: `fedmkt serve` on Fargate */
  service: "gpu" | "cpu";
  /** of AWS Certificate Manager, in the stack's region */
  certificateArn: string;
  /** whose adapters are served alone; absent: everybody's whose base is this model */
  party?: string;
  /** least 0: nothing runs while nobody asks */
  tasks: { least: number; most: number };
  /** who may ask: IPv4 ranges */
  addresses: readonly string[];
  /** vLLM's image, by a version's tag or a digest */
  vllmImage: string;
  /** EC2 instance types that will do, x86-64 with one NVIDIA GPU each, the best first */
  instanceTypes: readonly string[];
  /** highest rank of an adapter on a GPU */
  loraRank: number;
  /** most tokens of a prompt and its answer; absent: the model's own */
  contextTokens?: number;
}

/** As the app's context, or the command line, says it: every value a text. */
export interface InferenceChoice {
  model?: string;
  name?: string;
  servedAs?: string;
  service?: string;
  certificateArn?: string;
  party?: string;
  /** `0-2`: least and most */
  tasks?: string;
  /** with commas between */
  addresses?: string;
  vllmImage?: string;
  /** with commas between */
  instanceTypes?: string;
  loraRank?: string;
  contextTokens?: string;
}

/**
 * The release whose documented options the task uses (docs/deploying.md says how to test it). Tags can be moved: a deployment that
 * must be repeatable names a digest.
 */
export const VLLM_IMAGE = "vllm/vllm-openai:v0.27.1";

/** Of the architectures that runs train, those that vLLM serves without adapters alone (no `SupportsLoRA` in its model). */
export const VLLM_WITHOUT_LORA: readonly string[] = ["gpt2", "bloom", "gpt_neox"];

/** What vLLM's `--max-lora-rank` takes (its `LoRAConfig.max_lora_rank`, a closed set). */
export const VLLM_RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512] as const;

const DEFAULT_TASKS = "0-2";
const MOST_TASKS = 20;
const ANYWHERE = "0.0.0.0/0";
/** LoRA's rank in the paper is 8; peers and the runs of others go up to 64. */
const DEFAULT_RANK = "64";

const NAME = /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/;
const CERTIFICATE = /^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate\/[0-9a-f-]{36}$/;
const RANGE = /^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/;
/** with a version's tag or a digest, neither `latest` nor none */
const PINNED_IMAGE = /^[a-z0-9][a-z0-9._:/-]*(:(?!latest$|nightly$)[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})$/;

/** `inferenceModel` and so on: what a setting is called in the app's context. */
export function contextName(setting: keyof InferenceChoice): string {
  return `inference${setting[0].toUpperCase()}${setting.slice(1)}`;
}

/** Every setting that can be said. */
export const INFERENCE_CHOICE = [
  ...(["model", "name", "servedAs", "service", "certificateArn", "party", "tasks", "addresses"] as const),
  ...(["vllmImage", "instanceTypes", "loraRank", "contextTokens"] as const),
] satisfies (keyof InferenceChoice)[];

/**
 * @returns null where no model is named: there is no endpoint then
 * @throws InvalidInputError `INFERENCE_INVALID` naming the setting as the app's context calls it, and what was expected
 */
export function inferenceSettings(environment: EnvironmentName, choice: InferenceChoice): InferenceSettings | null {
  const { model, name, party } = choice;
  if (model === undefined) {
    const [said] = Object.entries(choice).find(([, value]) => value !== undefined) ?? [];
    if (said !== undefined) throw expected("model", "beside the endpoint's other settings", undefined);
    return null;
  }
  if (name !== undefined && !NAME.test(name))
    throw expected("name", "2 to 20 lower-case letters, digits and hyphens", name);
  if (party !== undefined && !PARTY_PATTERN.test(party)) throw expected("party", "a party's id", party);
  const located = locateModel(environment, model);
  const servedAs = choice.servedAs ?? located.prefix.split("/").at(-1)!;
  if (!servedName.safeParse(servedAs).success) throw expected("servedAs", "a model's name", servedAs);
  if (!CERTIFICATE.test(choice.certificateArn ?? ""))
    throw expected(
      "certificateArn",
      "the ARN of a certificate in AWS Certificate Manager: keys travel by TLS alone",
      choice.certificateArn,
    );
  const service = choice.service ?? "gpu";
  if (service !== "gpu" && service !== "cpu") throw expected("service", "gpu or cpu", service);
  const vllmImage = choice.vllmImage ?? VLLM_IMAGE;
  if (!PINNED_IMAGE.test(vllmImage))
    throw expected("vllmImage", "an image with a version's tag or a digest", vllmImage);
  const loraRank = wholeNumber("loraRank", choice.loraRank ?? DEFAULT_RANK, 1, 512);
  if (!VLLM_RANKS.some((rank) => rank === loraRank))
    throw expected("loraRank", `one of ${VLLM_RANKS.join(", ")}`, choice.loraRank);
  return {
    ...(name !== undefined && { name }),
    ...(party !== undefined && { party }),
    model: located,
    servedAs,
    service,
    certificateArn: choice.certificateArn!,
    tasks: readTasks(choice.tasks ?? DEFAULT_TASKS),
    addresses: listed("addresses", choice.addresses ?? ANYWHERE, RANGE, "IPv4 ranges such as 198.51.100.0/24"),
    vllmImage,
    instanceTypes: listed(
      "instanceTypes",
      choice.instanceTypes ?? "g6.xlarge,g5.xlarge",
      /^[a-z0-9]+\.[a-z0-9]+$/,
      "instance types",
    ),
    loraRank,
    ...(choice.contextTokens !== undefined && {
      contextTokens: wholeNumber("contextTokens", choice.contextTokens, 2, 16_777_216),
    }),
  };
}

/** Elsewhere the endpoint's role could read nothing: another bucket has another key. */
function locateModel(environment: EnvironmentName, location: string): InferenceSettings["model"] {
  const pattern = new RegExp(
    `^s3://(?<bucket>fedmkt-${environment}-(?:public|control)-\\d{12}-[a-z0-9-]+)/(?<prefix>[\\w.=+-]+(?:/[\\w.=+-]+)*)/?$`,
  );
  const { bucket, prefix } = pattern.exec(location)?.groups ?? {};
  const isMaterial = bucket?.startsWith(`fedmkt-${environment}-public-`) || prefix?.startsWith("material/");
  if (bucket === undefined || prefix === undefined || !isMaterial)
    throw expected(
      "model",
      `s3://, a folder of the public bucket of ${environment}, or below material/ of its control bucket`,
      location,
    );
  return { location: `s3://${bucket}/${prefix}`, bucket, prefix };
}

function readTasks(text: string): InferenceSettings["tasks"] {
  const { least, most } = /^(?<least>\d{1,2})-(?<most>\d{1,2})$/.exec(text)?.groups ?? {};
  const tasks = { least: Number(least), most: Number(most) };
  if (most === undefined || tasks.most < 1 || tasks.most > MOST_TASKS || tasks.least > tasks.most)
    throw expected("tasks", `the least and the most that run, such as 0-2, at most ${MOST_TASKS}`, text);
  return tasks;
}

function listed(what: keyof InferenceChoice, text: string, each: RegExp, wanted: string): string[] {
  const items = text.split(",");
  if (!items.every((item) => each.test(item))) throw expected(what, `${wanted}, with commas between`, text);
  return items;
}

function wholeNumber(what: keyof InferenceChoice, text: string, least: number, most: number): number {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw expected(what, `a whole number from ${least} to ${most}`, text);
  return value;
}

function expected(what: keyof InferenceChoice, wanted: string, got: string | undefined): InvalidInputError {
  const said = got === undefined ? "nothing" : JSON.stringify(got);
  return new InvalidInputError("INFERENCE_INVALID", `${contextName(what)}: expected ${wanted}, got ${said}`);
}
