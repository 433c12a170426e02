import { runTextExperiments } from "./experiments/text-experiments.ts";

/**
 * Experiment C: what each choice of the method does, one at a time.
 *
 * @param argv - `--cache FOLDER`; `--federation coarse-fine|like-grain`; what follows `--` is handed to `fedmkt experiment`
 */
export function run(argv: string[]): Promise<object> {
  return runTextExperiments(["ablation-coarse-fine", "ablation-like-grain"], argv);
}
