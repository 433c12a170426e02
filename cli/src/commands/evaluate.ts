import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { writeJsonLines } from "@fedmkt/shared/formats/jsonl.ts";
import { formatValue } from "@fedmkt/shared/report/table.ts";
import {
  type Evaluation,
  evaluateChoices,
  evaluateGeneration,
  evaluateTexts,
} from "@fedmkt/shared/use-cases/evaluate-model.ts";
import { GREEDY } from "@fedmkt/shared/use-cases/generate-text.ts";
import type { TokenizedModel } from "@fedmkt/shared/use-cases/open-model.ts";
import { withoutOpening } from "@fedmkt/shared/use-cases/without-opening.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { writeWhole } from "../large-file.ts";
import { DATA_ARGUMENTS } from "../model/data-arguments.ts";
import { LENGTH_ARGUMENTS, readLength } from "../model/generation-arguments.ts";
import {
  BATCH_ARGUMENT,
  MODEL_ARGUMENTS,
  readBatchSize,
  readDevice,
  readSampleBytes,
  readThreads,
  readWhole,
  SAMPLE_ARGUMENT,
} from "../model/model-arguments.ts";
import { readPrompts, readQuestions, readScoredSamples } from "../model/read-local-data.ts";
import { readOnly, requireModelFolder, withLocalModel } from "../model/with-local-model.ts";
import { showTask } from "../progress/show-task.ts";

const TASKS = ["text", "multiple-choice", "generation"] as const;

export const command: Command = {
  meta: { name: "evaluate", description: "score one model on data that it has not learned from" },
  args: {
    ...MODEL_ARGUMENTS,
    ...DATA_ARGUMENTS,
    data: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "texts, completions or questions: docs/data.md",
    },
    task: {
      type: "enum",
      options: [...TASKS],
      description:
        "text (default): loss and perplexity; multiple-choice: acc and acc_norm; generation: greedy answers by ROUGE-L and exact match",
    },
    limit: { type: "string", valueHint: "n", description: "the first n samples or questions alone" },
    "token-accuracy": {
      type: "boolean",
      description: "also the share of answer tokens that are the model's first choice; reads the data twice",
    },
    "without-bos": {
      type: "boolean",
      description: "read no BOS before a prompt, as lm-evaluation-harness does where the tokenizer writes none",
    },
    output: { type: "string", valueHint: "file", description: "each sample's result, as JSON Lines" },
    ...LENGTH_ARGUMENTS,
    ...BATCH_ARGUMENT,
    ...SAMPLE_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt evaluate models/smollm2 --data test.jsonl",
    "fedmkt evaluate models/smollm2 --adapter adapters/first --data arc-easy.jsonl --task multiple-choice --limit 200",
    "fedmkt evaluate models/smollm2 --data answers.jsonl --task generation --stop $'\\n' --output answers-given.jsonl",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const options = { ...readOnly(context), device: readDevice(args), threads: readThreads("evaluate", args) };
    await requireModelFolder(options.model, args.model as string);
    const evaluate = await readTask(context, options.model);
    const output = readOutput(context);
    const display = showTask({ io, json: args.json === true, clockMs: dependencies.clockMs });
    const { metrics, results } = await withLocalModel(context, options, (open) =>
      evaluate(args["without-bos"] === true ? withoutOpening(open) : open, (done, of) =>
        display.take({ phase: "scoring", done, of, unit: "texts" }),
      ),
    ).finally(() => display.end());
    if (output !== null) writeWhole(output, writeJsonLines(results));
    const width = Math.max(...Object.keys(metrics).map((name) => name.length));
    return {
      data: { task: args.task ?? "text", ...metrics },
      text: Object.entries(metrics)
        .map(([name, value]) => `${name.padEnd(width)}  ${Number.isInteger(value) ? value : formatValue(value)}`)
        .join("\n"),
    };
  },
};

/** Looked at before anything is computed for it. */
function readOutput({ args, io }: CommandContext): string | null {
  if (args.output === undefined) return null;
  const file = resolve(io.cwd, args.output as string);
  const isFile = statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true;
  if (isFile && statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory()) return file;
  throw new InvalidInputError(
    "BAD_ARGUMENT",
    `fedmkt evaluate: --output: expected a file in a folder that is there, got ${args.output}`,
  );
}

type Evaluate = (open: TokenizedModel, report: (done: number, of: number) => void) => Promise<Evaluation>;

/** The task with its data, read and checked before any model is opened. */
async function readTask(context: CommandContext, model: string): Promise<Evaluate> {
  const { args } = context;
  const data = args.data as string;
  const batchSize = readBatchSize("evaluate", args);
  const sampleBytes = readSampleBytes("evaluate", args);
  const limit = readWhole("evaluate", args, "limit", {
    least: 1,
    most: 10_000_000,
    otherwise: Number.POSITIVE_INFINITY,
  });
  const length = readLength("evaluate", args);
  if (args.task !== "generation")
    for (const option of Object.keys(LENGTH_ARGUMENTS))
      if (args[option] !== undefined)
        throw new InvalidInputError("BAD_ARGUMENT", `fedmkt evaluate: --${option} goes with --task generation`);
  if (args["without-bos"] === true && args.task === "generation")
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      "fedmkt evaluate: --without-bos goes with --task text and multiple-choice",
    );
  const tokenAccuracy = args["token-accuracy"] === true;
  if (tokenAccuracy && args.task !== undefined && args.task !== "text")
    throw new InvalidInputError("BAD_ARGUMENT", "fedmkt evaluate: --token-accuracy goes with --task text");
  if (args.task === "multiple-choice") {
    const questions = (await readQuestions(context, data, sampleBytes)).slice(0, limit);
    return (open, report) => evaluateChoices(open, questions, batchSize, report);
  }
  const read = args.task === "generation" ? readPrompts : readScoredSamples;
  const samples = (await read(context, data, model, sampleBytes)).slice(0, limit);
  if (args.task === "generation")
    return (open, report) => evaluateGeneration(open, samples, { ...GREEDY, ...length }, report);
  return (open, report) => evaluateTexts(open, samples, batchSize, report, { tokenAccuracy });
}
