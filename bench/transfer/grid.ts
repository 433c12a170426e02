import { createHash } from "node:crypto";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { DOMAIN_NAMES, type DrawFile, SAMPLE_BYTES } from "../experiments/texts.ts";
import type { Models } from "./like-grain.ts";

export const PAIRS = ["coarse-fine", "like-grain"] as const;
export type Pair = (typeof PAIRS)[number];

export const CHOICES = [
  { learn: "group", vocabularyMap: "product" },
  { learn: "group", vocabularyMap: "min-edit" },
  { learn: "token", vocabularyMap: "product" },
  { learn: "token", vocabularyMap: "min-edit" },
] as const;
export type Choice = (typeof CHOICES)[number];

/** One run: a pair of models, a choice of the method, a seed. */
export interface Cell {
  pair: Pair;
  choice: Choice;
  seed: number;
  /** labels alone are the same whatever the choice, so one run of each pair and seed trains them: the first choice's */
  withLabelsAlone: boolean;
}

/** λ as in the trial; K so that at least 95 % of the mass is kept. */
const DISTILLATION = { "coarse-fine": { lambda: 0.5, topK: 128 }, "like-grain": { lambda: 0.6, topK: 200 } } as const;

/** All cells, a seed of every pair after the other, so that what was cut off has whole seeds. */
export function grid(pairs: readonly Pair[], seeds: readonly number[]): Cell[] {
  return seeds.flatMap((seed) =>
    pairs.flatMap((pair) => CHOICES.map((choice) => ({ pair, choice, seed, withLabelsAlone: choice === CHOICES[0] }))),
  );
}

export const cellName = ({ pair, choice: { learn, vocabularyMap }, seed }: Cell) =>
  `${pair}-${learn}-${vocabularyMap}-${seed}`;

/**
 * The run of a cell: four clients, each with one domain's private texts; public texts of all four; everybody scored on all four.
 * @param path - where a set of the cell's seed lies
 */
export function cellSpec(cell: Cell, rounds: number, models: Models, path: (file: DrawFile) => string): RunSpecInput {
  const lora = { rank: 8, alpha: 16, dropout: 0, targets: "all-linear" as const };
  const training = {
    ...{ learningRate: 3e-3, batchSize: 8, privateEpochs: 1, publicEpochs: 1 },
    ...{ schedule: "linear" as const, warmupRatio: 0.2, weightDecay: 0.01 },
  };
  return {
    name: cellName(cell),
    seed: cell.seed,
    rounds,
    simulation: true,
    sampleBytes: SAMPLE_BYTES,
    samplesPerShard: 100,
    server: { model: models.server, lora, training },
    clients: DOMAIN_NAMES.map((id) => ({ id, model: models[id], private: path(`private-${id}`), lora, training })),
    public: [path("public")],
    evaluation: DOMAIN_NAMES.map((name) => ({ name, owner: name, data: path(`heldout-${name}`) })),
    distillation: { ...DISTILLATION[cell.pair], ...cell.choice, alignment: "byte-offset" },
    baselines: cell.withLabelsAlone ? ["standalone+public", "public-only"] : [],
  };
}

/** What a cell's result depends on; results of another specification are not taken for its own. */
export function specHash(spec: RunSpecInput): string {
  return createHash("sha256").update(JSON.stringify(spec)).digest("hex");
}
