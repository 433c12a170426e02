import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { readRunSpec } from "@fedmkt/shared/contracts/read-run-spec.ts";
import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { parseYaml } from "@fedmkt/shared/contracts/yaml-text.ts";
import { FedmktError, InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { lockFolder } from "../folder-lock.ts";
import { isEmptyFolder, RUN_FILES, readRunState, writeRunFile } from "../run-folder.ts";
import { type PlannedRun, runKey } from "./plan-runs.ts";
import type { ExperimentRun } from "./read-experiment.ts";

export const EXPERIMENT_FILES = {
  /** the experiment's file, as it was run last; a folder with it is an experiment's */
  file: "experiment.yaml",
  cells: "cells",
  json: "results.json",
  markdown: "results.md",
  html: "results.html",
};

/** As much of a spec's hash as tells the runs of one cell and seed apart. */
const HASH_CHARACTERS = 12;
/** What a run needs while it goes on, and nobody after it: objects, shards and checkpoints, and logs. */
const NEEDED_WHILE_RUNNING = ["aws", RUN_FILES.logs];

/** An experiment's folder, held by this process. */
export class ExperimentFolder {
  readonly path: string;
  /** lets the folder go */
  readonly release: () => void;

  /**
   * @param text - of the experiment's file
   * @throws InvalidInputError `FOLDER_IN_USE` (another experiment's, not one's at all, or one goes on there), `ACCESS_DENIED`
   */
  constructor(path: string, name: string, text: string) {
    this.path = path;
    const marker = join(path, EXPERIMENT_FILES.file);
    if (!existsSync(marker) && !isEmptyFolder(path))
      throw new InvalidInputError(
        "FOLDER_IN_USE",
        `${path}: expected a new folder or an experiment's, got files but no ${EXPERIMENT_FILES.file}`,
      );
    this.release = lockFolder(path);
    const found = existsSync(marker) ? nameIn(readFileSync(marker, "utf8")) : name;
    if (found !== name) {
      this.release();
      throw new InvalidInputError("FOLDER_IN_USE", `${path}: expected the experiment ${name}, holds ${found}`);
    }
    writeRunFile(path, EXPERIMENT_FILES.file, text);
  }

  /** How the runs stand in a folder that may not be there yet; nothing is written, and nobody kept out. */
  static look(path: string, runs: readonly ExperimentRun[]) {
    const isDone = (run: ExperimentRun) =>
      findRunFolders(path, run).some((folder) => readRunState(folder)?.status === "SUCCEEDED");
    return runs.map((run) => ({ cell: run.cell.name, seed: run.seed, run: run.spec.name, isDone: isDone(run) }));
  }

  /** The folder of a run: by its spec's hash, so that a changed spec never meets what another one left. */
  runFolder({ cell, seed, written }: PlannedRun): string {
    return join(this.path, EXPERIMENT_FILES.cells, cell.name, `${seed}-${written.hash.slice(0, HASH_CHARACTERS)}`);
  }

  /** The specs of a cell's runs with a seed that were begun here, if their spec is still the cell's. */
  findBegun(run: ExperimentRun): RunSpec[] {
    return findRunFolders(this.path, run).flatMap((folder) => readBegunSpec(join(folder, RUN_FILES.spec)));
  }

  /** Takes away what a finished run needs no more. */
  tidy(runFolder: string): void {
    for (const name of NEEDED_WHILE_RUNNING) rmSync(join(runFolder, name), { recursive: true, force: true });
  }
}

/** The folders of what was begun of a cell with a seed, its spec being still the cell's but for the baselines. */
function findRunFolders(experiment: string, { cell, seed, spec }: ExperimentRun): string[] {
  const parent = join(experiment, EXPERIMENT_FILES.cells, cell.name);
  if (!existsSync(parent)) return [];
  const key = runKey(spec);
  return readdirSync(parent)
    .filter((name) => name.startsWith(`${seed}-`))
    .sort()
    .map((name) => join(parent, name))
    .filter((folder) => readBegunSpec(join(folder, RUN_FILES.spec)).some((found) => runKey(found) === key));
}

function readBegunSpec(file: string): RunSpec[] {
  if (!existsSync(file)) return [];
  try {
    return [readRunSpec(readFileSync(file, "utf8"), dirname(file))];
  } catch (error) {
    // written by a version that knew other keys: that run is none of this experiment's any more
    if (error instanceof FedmktError) return [];
    throw error;
  }
}

function nameIn(text: string): unknown {
  const yaml = parseYaml(text);
  return Array.isArray(yaml) ? null : (yaml.value as { name?: unknown } | null)?.name;
}
