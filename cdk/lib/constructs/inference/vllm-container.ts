import type { InferenceSettings } from "@fedmkt/shared/contracts/inference-settings.ts";
import type { CfnTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { containerLog } from "../worker-container.ts";
import { STOP } from "./endpoint-times.ts";

/** Of the loopback that a task's containers share: nothing else reaches it. */
const PORT = 8000;
export const VLLM_URL = `http://127.0.0.1:${PORT}`;

/** Adapters in one batch, and kept in the machine's memory; the gateway loads one for each party. */
const BATCH_ADAPTERS = 8;
const KEPT_ADAPTERS = 64;

/** What vLLM's processes share, in MiB; Docker gives 64. */
const SHARED_MEMORY = 4096;
/** In MiB, beside the gateway on the smallest machine, which has 16 GiB; more is taken where there is more. */
const LEAST_MEMORY = 8192;

export interface VllmContainerProps {
  inference: InferenceSettings;
  modelFolder: string;
  /** where model and adapters lie, which it only reads */
  sharedMount: CfnTaskDefinition.MountPointProperty;
  /** containers that must have ended well before */
  after: string;
  logGroupName: string;
}

/**
 * vLLM's own OpenAI server, with LoRA adapters that come and go while it runs. It listens on the task's loopback alone, since whoever
 * reaches it may load adapters; keys, rates and the choice of adapters are the gateway's.
 *
 * Options as vLLM documents them (`vllm serve --help`; docs/features/lora.md): `--enable-lora` and its sizes, the base model's name, no
 * line for each request. `VLLM_ALLOW_RUNTIME_LORA_UPDATING` opens `/v1/load_lora_adapter`. No usage statistics, and no Hugging Face
 * hub: the task has no way out but to S3.
 */
export function vllmContainer(props: VllmContainerProps): CfnTaskDefinition.ContainerDefinitionProperty {
  const { inference } = props;
  const context = inference.contextTokens === undefined ? [] : ["--max-model-len", String(inference.contextTokens)];
  const environment = {
    VLLM_ALLOW_RUNTIME_LORA_UPDATING: "True",
    VLLM_NO_USAGE_STATS: "1",
    DO_NOT_TRACK: "1",
    HF_HUB_OFFLINE: "1",
  };
  return {
    name: "vllm",
    image: inference.vllmImage,
    essential: true,
    entryPoint: ["vllm", "serve"],
    command: [
      props.modelFolder,
      ...["--host", "127.0.0.1", "--port", String(PORT)],
      ...["--served-model-name", inference.servedAs],
      "--enable-lora",
      ...["--max-loras", String(BATCH_ADAPTERS), "--max-cpu-loras", String(KEPT_ADAPTERS)],
      ...["--max-lora-rank", String(inference.loraRank)],
      ...context,
      "--disable-uvicorn-access-log",
    ],
    environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
    resourceRequirements: [{ type: "GPU", value: "1" }],
    memoryReservation: LEAST_MEMORY,
    linuxParameters: { sharedMemorySize: SHARED_MEMORY },
    mountPoints: [props.sharedMount],
    dependsOn: [{ containerName: props.after, condition: "SUCCESS" }],
    stopTimeout: STOP.toSeconds(),
    // a server that hangs takes its task with it; ECS looks away for at most five minutes, and then ten times
    healthCheck: {
      command: [
        "CMD",
        "python3",
        "-c",
        `import urllib.request; urllib.request.urlopen("${VLLM_URL}/health", timeout=10)`,
      ],
      interval: 120,
      timeout: 15,
      startPeriod: 300,
      retries: 10,
    },
    logConfiguration: containerLog(props.logGroupName, "vllm"),
  };
}
