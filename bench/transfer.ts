import { runTextExperiments } from "./experiments/text-experiments.ts";

/**
 * What the choices of the method do: `group` against `token` targets, `product` against `min-edit` maps, beside the same labels
 * without transfer, on two federations.
 *
 * @param argv - `--cache FOLDER`; `--federation coarse-fine|like-grain`; what follows `--` is handed to `fedmkt experiment`
 */
export function run(argv: string[]): Promise<object> {
  return runTextExperiments(["transfer-coarse-fine", "transfer-like-grain"], argv);
}
