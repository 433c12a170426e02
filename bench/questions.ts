import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { prepareQuestions } from "./experiments/prepare-questions.ts";
import { DEFAULT_CACHE, material, runExperiment, seedsOf } from "./experiments/run-experiment.ts";

const EXPERIMENT = "questions";

/**
 * Experiment B: a real task, CommonsenseQA and ARC-Easy, with SmolLM2-135M (the folder FEDMKT_SMOLLM2) as server.
 *
 * @param argv - `--cache FOLDER`; what follows `--` is handed to `fedmkt experiment`
 */
export async function run(argv: string[]): Promise<object> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { cache: { type: "string", default: DEFAULT_CACHE } },
  });
  if (!process.env.FEDMKT_SMOLLM2) throw new Error("bench questions: expected FEDMKT_SMOLLM2, the server's model");
  const cache = resolve(values.cache);
  const begin = performance.now();
  await prepareQuestions(cache, material(), seedsOf(EXPERIMENT));
  await runExperiment(EXPERIMENT, cache, positionals);
  return { experiment: EXPERIMENT, cache, seconds: Math.round((performance.now() - begin) / 1000) };
}
