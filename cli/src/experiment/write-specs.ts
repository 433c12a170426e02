import { join } from "node:path";
import { writeSpec } from "../read-spec-file.ts";
import { writeRunFile } from "../run-folder.ts";
import type { ExperimentRun } from "./read-experiment.ts";

/**
 * Writes each run's spec as a file of its own, with all of its baselines, for `fedmkt run` here or in a deployment.
 * @returns the files, by run
 */
export function writeSpecs(
  runs: readonly ExperimentRun[],
  folder: string,
): { cell: string; seed: number; run: string; file: string }[] {
  return runs.map(({ cell, seed, spec }) => {
    const name = `${spec.name}.yaml`;
    writeRunFile(folder, name, writeSpec(spec).yaml);
    return { cell: cell.name, seed, run: spec.name, file: join(folder, name) };
  });
}
