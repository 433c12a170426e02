import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { prepareTexts } from "./prepare-texts.ts";
import { DEFAULT_CACHE, material, runExperiment, seedsOf } from "./run-experiment.ts";

/**
 * Runs experiments on the text domains, one after the other, after making what they need and the cache lacks.
 *
 * @param names - files of this folder
 * @param argv - `--cache FOLDER`; `--federation NAME`: only the experiment of which it is; what follows `--` is handed to
 *   `fedmkt experiment`
 */
export async function runTextExperiments(names: readonly string[], argv: readonly string[]): Promise<object> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { cache: { type: "string", default: DEFAULT_CACHE }, federation: { type: "string" } },
  });
  const chosen = names.filter((name) => values.federation === undefined || name.endsWith(values.federation));
  if (chosen.length === 0)
    throw new Error(`--federation: expected the end of one of ${names.join(", ")}, got ${values.federation}`);
  const cache = resolve(values.cache);
  const begin = performance.now();
  await prepareTexts(cache, material(), [...new Set(chosen.flatMap(seedsOf))]);
  for (const name of chosen) await runExperiment(name, cache, positionals);
  return { experiments: chosen, cache, seconds: Math.round((performance.now() - begin) / 1000) };
}
