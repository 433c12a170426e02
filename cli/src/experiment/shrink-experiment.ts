import { join } from "node:path";
import { shrinkSpec } from "./dry-run/shrink-spec.ts";
import type { Experiment } from "./read-experiment.ts";

/**
 * Every cell with its first seed, on tiny models and a few samples: whether it runs at all is seen in seconds.
 * @param folder - where models and samples are written
 */
export function shrinkExperiment(experiment: Experiment, folder: string): Experiment {
  const { cells, runs, file } = experiment;
  const [seed] = file.seeds;
  const small = cells.map((cell) => {
    const run = runs.find((one) => one.cell === cell && one.seed === seed)!;
    return { ...run, spec: shrinkSpec(run.spec, join(folder, cell.name)) };
  });
  return { ...experiment, isDryRun: true, file: { ...file, seeds: [seed] }, runs: small };
}
