import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { LoraSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { engineTraining, type TrainSpec } from "@fedmkt/shared/contracts/train-spec.ts";
import type { TrainingOrigin } from "@fedmkt/shared/contracts/training-record.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { deriveSeed } from "@fedmkt/shared/core/numeric/seed.ts";
import type { PeftAdapter } from "@fedmkt/shared/formats/peft-adapter.ts";
import { readTrainingStep } from "@fedmkt/shared/formats/training-state.ts";
import { fineTune } from "@fedmkt/shared/use-cases/fine-tune.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { writeCommandLine } from "../command-line.ts";
import { RunFailure } from "../failure.ts";
import { DATA_ARGUMENTS } from "../model/data-arguments.ts";
import { MAX_THREADS, MODEL_ARGUMENTS, readDevice } from "../model/model-arguments.ts";
import { type LocalAdapter, readAdapter } from "../model/read-adapter.ts";
import { identifyFiles, readScoredSamples, readTrainingSamples } from "../model/read-local-data.ts";
import { loraOf, requireModelFolder, STOPPED, withLocalModel } from "../model/with-local-model.ts";
import { readNumber } from "../number-argument.ts";
import { showTask } from "../progress/show-task.ts";
import { describeHeldOut, introduceTraining, reportTraining } from "../train/describe-training.ts";
import { readTrainSettings, SETTING_ARGUMENTS } from "../train/read-train-settings.ts";
import { TrainingFolder } from "../train/training-folder.ts";
import { resultFiles } from "../train/training-result.ts";

const DEFAULT_CHECKPOINT_SECONDS = 60;
const DAY_SECONDS = 86_400;

export const command: Command = {
  meta: { name: "train", description: "fine-tune one model on this machine: a LoRA adapter, or all of its weights" },
  args: {
    ...MODEL_ARGUMENTS,
    ...DATA_ARGUMENTS,
    adapter: { type: "string", valueHint: "folder", description: "a LoRA adapter (PEFT) to start from" },
    data: { type: "string", required: true, valueHint: "file", description: "what is learned: docs/data.md" },
    "held-out": {
      type: "string",
      valueHint: "file",
      description: "scored before the first step, after each epoch and so at the end",
    },
    out: {
      type: "string",
      required: true,
      valueHint: "folder",
      description: "new; for the result, and checkpoints meanwhile",
    },
    config: {
      type: "string",
      valueHint: "file",
      description: "settings as YAML: lora, training, epochs, seed, sampleBytes",
    },
    ...SETTING_ARGUMENTS,
    "all-weights": { type: "boolean", description: "train every weight; the result is a whole model, in f32" },
    "checkpoint-every": {
      type: "string",
      valueHint: "seconds",
      description: `how often the training is written down (default: ${DEFAULT_CHECKPOINT_SECONDS})`,
    },
    resume: {
      type: "boolean",
      description: "go on where an earlier training stopped in the folder; to the same bytes",
    },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt train models/smollm2 --data train.jsonl --held-out test.jsonl --out adapters/first --learning-rate 3e-4 --epochs 3",
    "fedmkt train models/smollm2 --data train.jsonl --out adapters/first --config train.yaml --resume",
    "fedmkt train models/tiny --data corpus.txt --out models/tiny-2 --all-weights --learning-rate 1e-3 --json",
  ],
  async run(context): Promise<Outcome> {
    const { args, io } = context;
    const shown = args.out as string;
    const task = readTask(context);
    await requireModelFolder(task.model, args.model as string);
    const folder = TrainingFolder.open(resolve(io.cwd, shown), shown, args.resume === true);
    try {
      if (folder.isFinished) {
        io.stderr.write(`${shown} holds a finished training already; nothing is done\n`);
        return { data: { folder: resolve(io.cwd, shown), reused: true }, text: "" };
      }
      return await train(context, task, folder);
    } catch (error) {
      if (!io.signal.aborted) folder.forget();
      throw error;
    } finally {
      folder.release();
    }
  },
};

/** All that the command line says, checked. */
interface TrainTask {
  model: string;
  adapter: LocalAdapter | null;
  spec: TrainSpec;
  checkpointMs: number;
}

function readTask(context: CommandContext): TrainTask {
  const { args, io } = context;
  const given = args.adapter as string | undefined;
  const all = args["all-weights"] === true;
  if (all && given !== undefined)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      "fedmkt train: --adapter is for LoRA; leave out one of it and --all-weights",
    );
  const adapter = given === undefined ? null : readAdapter(resolve(io.cwd, given), given);
  const seconds = (args["checkpoint-every"] as string | undefined) ?? String(DEFAULT_CHECKPOINT_SECONDS);
  const range = { least: 0, most: DAY_SECONDS, whole: false };
  return {
    model: resolve(io.cwd, args.model as string),
    adapter,
    spec: readTrainSettings(context, {
      threads: Math.min(availableParallelism(), MAX_THREADS),
      lora: all ? "all" : adapter === null ? null : shapeOf(adapter, given!),
    }),
    checkpointMs: 1000 * readNumber("fedmkt train: --checkpoint-every", seconds, range),
  };
}

function shapeOf(adapter: PeftAdapter, what: string): Omit<LoraSpec, "dropout"> {
  const { dropout: _, ...shape } = loraOf(adapter, what);
  return shape;
}

async function train(context: CommandContext, task: TrainTask, folder: TrainingFolder): Promise<Outcome> {
  const { args, io, dependencies } = context;
  const { model, adapter, spec } = task;
  const shown = args.out as string;
  const startedMs = dependencies.clockMs();
  const { sampleBytes } = spec;
  const heldOutFile = args["held-out"] as string | undefined;
  const samples = await readTrainingSamples(context, args.data as string, model, sampleBytes);
  const heldOut = heldOutFile === undefined ? [] : await readScoredSamples(context, heldOutFile, model, sampleBytes);
  const origin: TrainingOrigin = {
    settings: spec,
    ...(await identifyFiles(model, { data: samples, "held-out": heldOut, adapter: adapter?.weights })),
  };
  const found = args.resume === true ? folder.find(origin, shown) : null;
  if (found === null) folder.save(origin, { steps: [], heldOut: [] }, null);
  const display = showTask({ io, json: args.json === true, clockMs: dependencies.clockMs });
  let isTraining = false;
  let unsaved: string | null = null;
  let step = found === null || found.state === null ? 0 : readTrainingStep(found.state, shown);
  try {
    const options = {
      model,
      lora: spec.lora ?? ("all" as const),
      adapter: adapter?.widened() ?? null,
      device: readDevice(args),
      threads: spec.training.threads,
      seed: deriveSeed(spec.seed, "lora"),
    };
    const work = async (open: Parameters<Parameters<typeof withLocalModel>[2]>[0]) => {
      display.say(introduceTraining(samples, heldOut, open.model.trainableParameters, open.model.parameters));
      if (step > 0) display.say(`goes on after step ${step}`);
      const outcome = await fineTune(open, {
        samples,
        heldOut,
        epochs: spec.epochs,
        training: engineTraining(spec),
        seed: deriveSeed(spec.seed, "order"),
        resume: found === null || found.state === null ? null : { record: found.progress.record, state: found.state },
        checkpoint: {
          everyMs: task.checkpointMs,
          nowMs: dependencies.clockMs,
          save: async (record, state) => {
            unsaved = attempt(() => folder.save(origin, record, state));
            // it costs work only if the training is ended too: it goes on
            if (unsaved !== null) display.say(`the checkpoint could not be written: ${unsaved}`);
          },
        },
        signal: io.signal,
        onTraining: (going) => {
          isTraining = going;
        },
        onStep: (progress) => {
          step = progress.step;
          display.take({
            phase: "training",
            done: progress.step,
            of: progress.steps,
            unit: "steps",
            lossNats: progress.loss,
            learningRate: progress.learningRate,
            tokensPerSecond: progress.tokensPerSecond,
          });
        },
        onHeldOut: (score) => display.say(describeHeldOut(score)),
        onScored: (done, of) => display.take({ phase: "scoring", done, of, unit: "held-out samples" }),
      });
      folder.commit(await resultFiles(open.model, { model, spec, origin, samples: samples.length, outcome }));
      return outcome;
    };
    const outcome = await withLocalModel(context, options, work, () => isTraining);
    display.end();
    return reportTraining(context, samples.length, outcome, dependencies.clockMs() - startedMs);
  } catch (error) {
    display.end();
    if (io.signal.aborted && !(error instanceof InvalidInputError)) throw stopped(context, spec, step, unsaved);
    throw error;
  }
}

/** @returns why it failed; null where it did not */
function attempt(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The same command goes on: its options are what the checkpoint was made with. */
function stopped(
  { args, io }: CommandContext,
  { training }: TrainSpec,
  step: number,
  unsaved: string | null,
): RunFailure {
  // threads are counted on the machine unless given, and sums depend on them
  const again = writeCommandLine(command, args, io, { threads: String(training.threads), resume: true });
  const kept =
    unsaved === null
      ? `its checkpoint is in ${args.out}`
      : `this could not be written down (${unsaved}), so an older checkpoint is in ${args.out}`;
  return new RunFailure({
    name: "TransientError",
    code: STOPPED,
    message: `stopped by hand after step ${step}; ${kept}; to go on:\n${again}`,
    details: { step, resume: again },
    exitCode: 1,
  });
}
