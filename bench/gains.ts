import { runTextExperiments } from "./experiments/text-experiments.ts";

/**
 * Experiment A: whether knowledge transfer makes every party better than the same labels do, on two federations.
 *
 * @param argv - `--cache FOLDER`; `--federation coarse-fine|like-grain`; what follows `--` is handed to `fedmkt experiment`
 */
export function run(argv: string[]): Promise<object> {
  return runTextExperiments(["gains-coarse-fine", "gains-like-grain"], argv);
}
