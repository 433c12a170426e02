import { resolve } from "node:path";
import { loraSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { parseArchitecture } from "@fedmkt/shared/engine/architectures/parse-architecture.ts";
import { estimateModel, type MemoryEstimate } from "@fedmkt/shared/engine/memory-estimate.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { MAX_CONFIG_BYTES } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import type { CommandContext, Outcome } from "../command.ts";
import type { Io } from "../io.ts";
import { readWhole } from "../model/model-arguments.ts";
import { LOCAL_FILES } from "../model/with-local-model.ts";
import { drawTextTable } from "../text-table.ts";

const DEFAULT_TOKENS = 512;

/**
 * What it takes to train a model, from its config.json alone.
 * @throws InvalidInputError `BAD_ARGUMENT`, `MODEL_CONFIG_INVALID`, `MODEL_OPTIONS_INVALID`
 */
export async function planModel(args: CommandContext["args"], io: Io): Promise<Outcome> {
  const shown = args.model as string;
  const config = resolve(io.cwd, shown, "config.json");
  const architecture = parseArchitecture(await LOCAL_FILES.material.read(config, MAX_CONFIG_BYTES), config);
  const { contextTokens } = architecture;
  const batch = readWhole("plan", args, "batch", { least: 1, most: 4096, otherwise: 4 });
  const otherwise = Math.min(DEFAULT_TOKENS, contextTokens);
  const tokens = readWhole("plan", args, "tokens", { least: 1, most: contextTokens, otherwise });
  const settings = { lora: readLora(args), batch, tokens };
  const [kept, again] = [false, true].map((checkpointing) =>
    estimateModel(architecture, { ...settings, checkpointing }),
  );
  const { parameters, trainableParameters, adapterBytes } = kept;
  const { forward, training } = kept.flopsPerToken;
  return {
    data: {
      model: shown,
      modelType: architecture.modelType,
      contextTokens,
      settings: { batch, tokens, lora: settings.lora },
      parameters,
      trainableParameters,
      adapterBytes: settings.lora === null ? null : adapterBytes,
      flopsPerToken: { forward, training, trainingWithCheckpointing: again.flopsPerToken.training },
      memoryBytes: { withoutCheckpointing: kept.memory, withCheckpointing: again.memory },
    },
    text: [
      `${shown}: ${architecture.modelType}, ${grouped(parameters)} parameters, context of ${contextTokens} tokens`,
      settings.lora === null
        ? "trained:    every weight"
        : `trained:    LoRA of rank ${settings.lora.rank}: ${grouped(trainableParameters)} parameters, an adapter of ${formatBytes(adapterBytes)}`,
      `arithmetic: ${operations(forward)} a token forward, ${operations(training)} in training, ${operations(again.flopsPerToken.training)} with activation checkpointing`,
      "",
      drawTextTable(memoryTable(kept.memory, again.memory, batch, tokens), io.colours),
    ].join("\n"),
  };
}

function readLora(args: CommandContext["args"]) {
  const rank = readWhole("plan", args, "rank", { least: 1, most: 256, otherwise: 8 });
  const targets = args.targets as string | undefined;
  if (args["all-weights"] === true) {
    const found = ["rank", "targets"].find((name) => args[name] !== undefined);
    if (found === undefined) return null;
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt plan: --${found} is of an adapter; leave it out, or --all-weights`,
    );
  }
  const named = targets === undefined || ["default", "peft-default", "all-linear"].includes(targets);
  const parsed = loraSpec.safeParse({ rank, targets: named ? targets : targets.split(",") });
  if (parsed.success) return parsed.data;
  throw new InvalidInputError("BAD_ARGUMENT", `fedmkt plan: --targets: ${parsed.error.issues[0].message}`);
}

const PARTS: Readonly<Record<keyof MemoryEstimate, string>> = {
  process: "the program",
  weights: "weights",
  activations: "activations",
  head: "logits and loss",
  optimizer: "trained values, gradients, moments",
  total: "in all",
};

function memoryTable(without: MemoryEstimate, withIt: MemoryEstimate, batch: number, tokens: number) {
  return {
    title: `Peak memory of training with ${batch} × ${tokens} tokens, estimated`,
    columns: [
      { name: "for", align: "left" as const },
      { name: "plain", align: "right" as const },
      { name: "with activation checkpointing", align: "right" as const },
    ],
    rows: Object.entries(PARTS).map(([part, name]) => [
      { text: name },
      ...[without, withIt].map((memory) => ({ text: formatBytes(memory[part as keyof MemoryEstimate]) })),
    ]),
    note: "Activation checkpointing computes blocks a second time; fedmkt train chooses it where memory is short (auto).",
  };
}

function grouped(number: number): string {
  return number.toLocaleString("en");
}

function operations(count: number): string {
  return `${(count / 1e6).toFixed(count < 1e8 ? 2 : 0)} MFLOP`;
}
