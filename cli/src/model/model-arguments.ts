import { availableParallelism } from "node:os";
import type { Device } from "@fedmkt/shared/ports/engine.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";
import { readNumber } from "../number-argument.ts";

const DEVICES: readonly Device[] = ["cpu", "cuda"];
/** As run.yaml's `threads`. */
export const MAX_THREADS = 256;
const MAX_BATCH = 4096;

/** Every command that works with one model has them. */
export const MODEL_ARGUMENTS = {
  model: {
    type: "positional",
    required: true,
    description: "the model's folder, as Hugging Face has it: config.json, tokenizer.json, model.safetensors",
  },
  adapter: { type: "string", valueHint: "folder", description: "a LoRA adapter (PEFT) that is put on the model" },
  device: { type: "enum", options: [...DEVICES], description: "what to compute on (default: cpu)" },
  threads: { type: "string", valueHint: "n", description: "threads to compute with (default: one a processor)" },
} as const satisfies ArgsDef;

export const BATCH_ARGUMENT = {
  "batch-size": { type: "string", valueHint: "n", description: "samples in one forward pass (default: 4)" },
} as const satisfies ArgsDef;

export const SAMPLE_ARGUMENT = {
  "sample-bytes": {
    type: "string",
    valueHint: "n",
    description: "longest sample in bytes, to which texts are cut (default: 1024, or what is sure to fit the model)",
  },
} as const satisfies ArgsDef;

const DEFAULT_BATCH = 4;

export function readDevice(args: CommandContext["args"]): Device {
  return (args.device as Device | undefined) ?? "cpu";
}

/** @throws InvalidInputError `BAD_ARGUMENT` */
export function readThreads(command: string, args: CommandContext["args"]): number {
  const text = args.threads as string | undefined;
  if (text === undefined) return Math.min(availableParallelism(), MAX_THREADS);
  return readNumber(`fedmkt ${command}: --threads`, text, { least: 1, most: MAX_THREADS });
}

/** @throws InvalidInputError `BAD_ARGUMENT` */
export function readBatchSize(command: string, args: CommandContext["args"]): number {
  const text = args["batch-size"] as string | undefined;
  if (text === undefined) return DEFAULT_BATCH;
  return readNumber(`fedmkt ${command}: --batch-size`, text, { least: 1, most: MAX_BATCH });
}

/** @returns undefined where it is not given. @throws InvalidInputError `BAD_ARGUMENT` */
export function readSampleBytes(command: string, args: CommandContext["args"]): number | undefined {
  const text = args["sample-bytes"] as string | undefined;
  if (text === undefined) return undefined;
  return readNumber(`fedmkt ${command}: --sample-bytes`, text, { least: 8, most: 65_536 });
}

/** A whole number that is an option's value, or what stands for it. @throws InvalidInputError `BAD_ARGUMENT` */
export function readWhole(
  command: string,
  args: CommandContext["args"],
  option: string,
  range: { least: number; most: number; otherwise: number },
): number {
  const text = args[option] as string | undefined;
  return text === undefined ? range.otherwise : readNumber(`fedmkt ${command}: --${option}`, text, range);
}
