import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { comparisonTable, DRY_RUN_NOTE, experimentNotes } from "@fedmkt/shared/report/experiment-tables.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { EXPERIMENT_FILES, ExperimentFolder } from "../experiment/experiment-folder.ts";
import { ExperimentProgress } from "../experiment/experiment-progress.ts";
import { type PlannedRun, planRuns } from "../experiment/plan-runs.ts";
import { type Experiment, readExperiment } from "../experiment/read-experiment.ts";
import { type EndedRun, finishedRuns, runExperiment } from "../experiment/run-experiment.ts";
import { writeResults } from "../experiment/write-results.ts";
import { writeSpecs } from "../experiment/write-specs.ts";
import { RunFailure } from "../failure.ts";
import { readNumber } from "../number-argument.ts";
import type { SpecPlace } from "../read-spec-file.ts";
import { NOT_HERE_YET } from "../site-data.ts";
import { drawTextTable } from "../text-table.ts";

/** More runs at once than this is a typing error: each has a local cloud of its own. */
const MAX_CONCURRENCY = 64;
/** Within this time results are not written again while runs end: a large experiment's take a moment. */
const RESULTS_EVERY_MS = 10_000;

/** Names of cells more than this are not repeated in a message. */
const NAMES_LISTED = 12;

const HERE: SpecPlace = { mayReadS3: false };

export const command: Command = {
  meta: {
    name: "experiment",
    description:
      "run a grid of specs with several seeds on this machine and compare them; the same again goes on where it stopped",
  },
  args: {
    file: { type: "positional", required: true, description: "the experiment's file (docs/experiment-files.md)" },
    out: {
      type: "string",
      valueHint: "folder",
      description: "the experiment's folder (default: experiments/<name> in the current folder)",
    },
    only: {
      type: "string",
      valueHint: "pattern",
      description: "run the cells of this name alone; * is any part of a name",
    },
    list: { type: "boolean", description: "say which runs there are and which are done, and run nothing" },
    specs: {
      type: "string",
      valueHint: "folder",
      description: "write each run's spec there, for fedmkt run, and run nothing",
    },
    "dry-run": {
      type: "boolean",
      description: "run each cell for one round with tiny random models of the same architectures and a few samples",
    },
    concurrency: {
      type: "string",
      valueHint: "n",
      description: "runs at once, which share the processors (default: 1, with a job a processor)",
    },
    keep: { type: "boolean", description: "keep shards and logs of finished runs" },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt experiment grid.yaml",
    "fedmkt experiment grid.yaml --only 'product/*' --concurrency 2",
    "fedmkt experiment examples/paper/paper.yaml --dry-run",
  ],
  async run({ args, io, dependencies }): Promise<Outcome> {
    const path = args.file as string;
    const isDry = args["dry-run"] === true;
    refuseTwoPurposes(args);
    const concurrency = readConcurrency(args.concurrency as string | undefined);
    const looksOnly = args.list === true || args.specs !== undefined;
    const isChosen = choose(args.only as string | undefined);
    // whoever runs some cells need not have what the others are to be run with
    const isHere = (cell: string) => !isDry && !looksOnly && isChosen(cell);
    const whole = await readExperiment(path, io, (cell) => (isHere(cell) ? HERE : NOT_HERE_YET));
    refuseUnknownCells(whole, args.only as string | undefined, isChosen);
    const shown = (folder: string) => {
      const below = relative(io.cwd, folder) || ".";
      return below.startsWith("..") ? folder : below;
    };
    if (args.specs !== undefined) {
      const folder = resolve(io.cwd, args.specs as string);
      const files = writeSpecs(
        whole.runs.filter(({ cell }) => isChosen(cell.name)),
        folder,
      );
      return { data: { folder, specs: files }, text: `${count(files.length, "spec")} in ${shown(folder)}` };
    }
    const { name } = whole.file;
    const parent = resolve(io.cwd, (args.out as string | undefined) ?? join("experiments", name));
    const place = isDry ? join(parent, "dry-run") : parent;
    if (args.list === true) return list(whole, place, isChosen);

    const folder = new ExperimentFolder(place, name, whole.text);
    try {
      const experiment = isDry
        ? (await import("../experiment/shrink-experiment.ts")).shrinkExperiment(whole, join(place, "material"))
        : whole;
      const plan = planRuns(experiment.runs, (run) => folder.findBegun(run), isChosen);
      const keep = args.keep === true;
      const ended = new Map<PlannedRun, EndedRun>(finishedRuns(plan, folder, keep).map((one) => [one.run, one]));
      const waiting = plan.filter((run) => isChosen(run.cell.name) && !ended.has(run));
      const inOrder = () => plan.flatMap((run) => ended.get(run) ?? []);
      const progress = new ExperimentProgress(io, dependencies.clockMs, waiting.length);
      const done = plan.filter((run) => isChosen(run.cell.name)).length - waiting.length;
      io.stderr.write(
        `experiment ${name}: ${count(experiment.cells.length, "cell")}, ${count(experiment.file.seeds.length, "seed")}, ` +
          `${count(waiting.length, "run")} to do${done > 0 ? `, ${done} done before` : ""}, in ${shown(place)}\n`,
      );
      let writtenMs = dependencies.clockMs();
      await runExperiment({
        ...{ runs: waiting, folder, concurrency, keep, io, dependencies },
        concurrentTasks: Math.max(1, Math.floor(availableParallelism() / concurrency)),
        onBegin: (run) => progress.begin(run),
        onEnd: (one, wallTimeMs) => {
          ended.set(one.run, one);
          progress.end(one, wallTimeMs);
          if (dependencies.clockMs() - writtenMs < RESULTS_EVERY_MS) return;
          writeResults(place, experiment, inOrder());
          writtenMs = dependencies.clockMs();
        },
      });
      const results = writeResults(place, experiment, inOrder());
      const failed = waiting.flatMap((run) => ended.get(run)?.failure ?? []);
      const left = waiting.filter((run) => !ended.has(run)).length;
      if (io.signal.aborted && left > 0)
        throw new RunFailure({
          name: "Interrupted",
          code: "RUN_INTERRUPTED",
          message: `stopped by hand; ${waiting.length - left} of ${waiting.length} runs done, the same command goes on where it stopped`,
          details: { folder: place, left },
          exitCode: 1,
        });
      return {
        data: {
          ...{ experiment: name, folder: place, runs: results.runs, means: results.means },
          ...{ comparisons: results.comparisons, published: results.published },
          files: [EXPERIMENT_FILES.json, EXPERIMENT_FILES.markdown, EXPERIMENT_FILES.html].map((file) =>
            join(place, file),
          ),
        },
        text: [
          ...(results.comparisons.length === 0 ? [] : [drawTextTable(comparisonTable(results), io.colours)]),
          ...[...(isDry ? [DRY_RUN_NOTE] : []), ...experimentNotes(results)].map((note) => `  ${note}`),
          `Results:  ${join(shown(place), EXPERIMENT_FILES.html)}, ${EXPERIMENT_FILES.markdown}, ${EXPERIMENT_FILES.json}`,
        ].join("\n"),
        exitCode: failed.length > 0 ? 1 : 0,
      };
    } finally {
      folder.release();
    }
  },
};

/** @throws InvalidInputError `BAD_ARGUMENT`: each of these says what the command is to do */
function refuseTwoPurposes(args: Record<string, unknown>): void {
  const given = ["list", "specs", "dry-run"].filter((name) => args[name] !== undefined && args[name] !== false);
  if (given.length < 2) return;
  const options = given.map((name) => `--${name}`).join(" and ");
  throw new InvalidInputError(
    "BAD_ARGUMENT",
    `fedmkt experiment: expected one of --list, --specs and --dry-run, got ${options}`,
  );
}

function readConcurrency(text: string | undefined): number {
  if (text === undefined) return 1;
  return readNumber("fedmkt experiment: --concurrency", text, { least: 1, most: MAX_CONCURRENCY });
}

function choose(pattern: string | undefined): (cell: string) => boolean {
  if (pattern === undefined) return () => true;
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const form = new RegExp(`^${parts.join(".*")}$`);
  return (cell) => form.test(cell);
}

/** @throws InvalidInputError `BAD_ARGUMENT` where no cell has such a name */
function refuseUnknownCells(
  { cells }: Experiment,
  pattern: string | undefined,
  isChosen: (cell: string) => boolean,
): void {
  const names = cells.map(({ name }) => name);
  if (pattern === undefined || names.some(isChosen)) return;
  const close = closestName(pattern, names);
  throw new InvalidInputError(
    "BAD_ARGUMENT",
    `fedmkt experiment: --only: no cell is called ${pattern}; ${close === null ? `there are ${listNames(names)}` : `did you mean ${close}?`}`,
  );
}

function listNames(names: readonly string[]): string {
  const more = names.length > NAMES_LISTED ? ` and ${names.length - NAMES_LISTED} more, which --list tells` : "";
  return names.slice(0, NAMES_LISTED).join(", ") + more;
}

function list(experiment: Experiment, place: string, isChosen: (cell: string) => boolean): Outcome {
  const runs = ExperimentFolder.look(place, experiment.runs).filter(({ cell }) => isChosen(cell));
  const done = runs.filter(({ isDone }) => isDone).length;
  return {
    data: { experiment: experiment.file.name, folder: place, runs },
    text: [
      ...runs.map(({ cell, seed, run, isDone }) => `${isDone ? "done   " : "to do  "} ${cell}, seed ${seed} (${run})`),
      `${done} of ${count(runs.length, "run")} done`,
    ].join("\n"),
  };
}
