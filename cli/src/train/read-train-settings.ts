import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { LoraSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidSpecError, type SpecMistake, writePath } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { examineTrainSpec, type TrainSpec } from "@fedmkt/shared/contracts/train-spec.ts";
import { MAX_SPEC_BYTES, parseYaml, type YamlText } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";
import type { Io } from "../io.ts";

type Kind = "number" | "word" | "list" | "number or none";

interface Setting {
  path: readonly string[];
  kind: Kind;
  description: string;
}

/** Settings by their options. A setting's limits are the schema's, which run.yaml has too. */
const SETTINGS: Readonly<Record<string, Setting>> = {
  "learning-rate": {
    path: ["training", "learningRate"],
    kind: "number",
    description: "peak learning rate; no default",
  },
  epochs: { path: ["epochs"], kind: "number", description: "passes over the data (default: 1)" },
  "batch-size": {
    path: ["training", "batchSize"],
    kind: "number",
    description: "samples in one optimizer step (default: 4)",
  },
  "micro-batch-size": {
    path: ["training", "microBatchSize"],
    kind: "number",
    description: "samples in one forward pass (default: the batch)",
  },
  rank: { path: ["lora", "rank"], kind: "number", description: "of the adapter (default: 8)" },
  alpha: {
    path: ["lora", "alpha"],
    kind: "number",
    description: "the adapter is scaled by alpha / rank (default: 16)",
  },
  targets: {
    path: ["lora", "targets"],
    kind: "list",
    description: "layers that are adapted, such as q_proj,v_proj; or default, peft-default, all-linear",
  },
  dropout: { path: ["lora", "dropout"], kind: "number", description: "of the adapter's inputs (default: 0.05)" },
  schedule: {
    path: ["training", "schedule"],
    kind: "word",
    description: "of the learning rate: constant, linear or cosine (default)",
  },
  "warmup-ratio": {
    path: ["training", "warmupRatio"],
    kind: "number",
    description: "share of the steps in which the learning rate rises (default: 0.008)",
  },
  "weight-decay": { path: ["training", "weightDecay"], kind: "number", description: "AdamW's (default: 0.1)" },
  "clip-norm": {
    path: ["training", "clipNorm"],
    kind: "number or none",
    description: "largest global gradient norm, or none (default: 1)",
  },
  "activation-checkpointing": {
    path: ["training", "activationCheckpointing"],
    kind: "word",
    description: "off, on or auto (default): less memory for more time",
  },
  seed: {
    path: ["seed"],
    kind: "number",
    description: "of the fresh adapter, dropout and the order of samples (default: 0)",
  },
  threads: {
    path: ["training", "threads"],
    kind: "number",
    description: "threads to compute with; sums depend on it (default: one a processor)",
  },
  "sample-bytes": {
    path: ["sampleBytes"],
    kind: "number",
    description: "longest sample in bytes, to which texts are cut (default: 1024, or what is sure to fit the model)",
  },
};

export const SETTING_ARGUMENTS: ArgsDef = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, { description, kind }]) => [
    name,
    { type: "string", valueHint: kind === "number" ? "n" : kind === "list" ? "names" : "value", description },
  ]),
);

/** What the settings are where neither an option nor the file says it, and what may not be said at all. */
export interface SettingsBase {
  threads: number;
  /** "all": every weight is trained; of an adapter to start from: its own shape; null: a fresh adapter as the settings say */
  lora: "all" | Omit<LoraSpec, "dropout"> | null;
}

/**
 * The settings of a training: the file's, and over them the options'.
 * @throws InvalidSpecError (`SPEC_INVALID`) with every mistake; InvalidInputError `SPEC_MISSING`, `BAD_ARGUMENT`
 */
export function readTrainSettings({ args, io }: Pick<CommandContext, "args" | "io">, base: SettingsBase): TrainSpec {
  const file = args.config as string | undefined;
  const yaml = file === undefined ? null : readYaml(file, io);
  const value: unknown = yaml === null ? {} : structuredClone(yaml.value);
  const given = Object.keys(SETTINGS).filter((name) => args[name] !== undefined);
  refuseContradictions(given, base);
  if (isMapping(value)) {
    // beside a mapping that the file has wrong nothing is put: the mistake stays to be told
    for (const name of given) put(value, SETTINGS[name].path, parse(SETTINGS[name].kind, args[name] as string));
    put(value, ["training", "threads"], base.threads, false);
    if (base.lora === "all") put(value, ["lora"], null);
    else if (base.lora !== null)
      for (const [name, setting] of Object.entries(base.lora)) put(value, ["lora", name], setting);
  }
  const examined = examineTrainSpec(value);
  if ("spec" in examined) return examined.spec;
  const mistakes = examined.issues.map(({ path, message }): SpecMistake => {
    const written = writePath(path);
    const option = Object.keys(SETTINGS).find((name) => written.startsWith(writePath(SETTINGS[name].path)));
    const byOption = option !== undefined && (given.includes(option) || yaml === null);
    return byOption
      ? { path: `--${option}`, line: null, message }
      : { path: written, line: yaml?.lineOf(path) ?? null, message };
  });
  throw new InvalidSpecError(file ?? "fedmkt train", mistakes);
}

function refuseContradictions(given: readonly string[], { lora }: SettingsBase): void {
  const ofLora = given.filter((name) => SETTINGS[name].path[0] === "lora");
  const found = lora === null ? undefined : ofLora.find((name) => lora === "all" || name !== "dropout");
  if (found !== undefined)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt train: --${found} is of a fresh adapter; leave it out, or ${lora === "all" ? "--all-weights" : "--adapter"}`,
    );
}

function readYaml(shown: string, io: Pick<Io, "cwd">): YamlText {
  const file = resolve(io.cwd, shown);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile())
    throw new InvalidInputError("SPEC_MISSING", `${shown}: expected a training's settings, there is no such file`);
  if (stats.size > MAX_SPEC_BYTES)
    throw new InvalidInputError(
      "SPEC_INVALID",
      `${shown}: expected at most ${MAX_SPEC_BYTES} bytes, got ${stats.size}`,
    );
  const yaml = parseYaml(readFileSync(file, "utf8"));
  if (Array.isArray(yaml)) throw new InvalidSpecError(shown, yaml);
  return yaml;
}

/** What is no number stays text: the schema says what is wrong with it. */
function parse(kind: Kind, text: string): unknown {
  if (kind === "number or none" && text === "none") return null;
  if (kind === "list") return /^(default|peft-default|all-linear)$/.test(text) ? text : text.split(",");
  if (kind === "word" || text.trim() === "" || Number.isNaN(Number(text))) return text;
  return Number(text);
}

function put(mapping: Record<string, unknown>, [first, ...rest]: readonly string[], value: unknown, over = true): void {
  if (rest.length === 0) {
    if (over || mapping[first] === undefined) mapping[first] = value;
    return;
  }
  mapping[first] ??= {};
  const inner = mapping[first];
  if (isMapping(inner)) put(inner, rest, value, over);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
