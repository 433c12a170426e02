import { z } from "zod";
import { score } from "./summary.ts";

/** In published figures: the mean over all clients. */
export const CLIENTS = "clients";

const metric = score.shape.metric;

/** Mean over seeds. */
const spread = z.strictObject({
  mean: z.number(),
  /** of the sample (n − 1); null for one seed */
  deviation: z.number().nullable(),
  /** seeds */
  count: z.int().min(1),
});

/** results.json of an experiment: what its finished runs measured, and what follows. No times, no paths: equal runs, equal bytes. */
export const experimentResults = z.strictObject({
  version: z.literal(1),
  experiment: z.string(),
  /** of random models and a few samples: its figures measure nothing */
  isDryRun: z.boolean(),
  seeds: z.array(z.int()),
  cells: z.array(
    z.strictObject({ name: z.string(), levels: z.record(z.string(), z.string()), parties: z.array(z.string()) }),
  ),
  /** every cell with every seed */
  runs: z.array(
    z.strictObject({
      cell: z.string(),
      seed: z.int(),
      run: z.string(),
      status: z.enum(["done", "failed", "missing"]),
      /** of a failed one: its error's name and message */
      error: z.string().nullable(),
      /** what of its exchange came to nothing, a sentence each */
      emptyTransfers: z.array(z.string()),
    }),
  ),
  /**
   * every score of every finished run, round by round; a baseline's under each cell that it belongs to, `from` being the one whose run
   * trained it
   */
  scores: z.array(score.extend({ cell: z.string(), seed: z.int(), from: z.string() })),
  /** figures of others, in the unit of the tables */
  published: z.array(
    z.strictObject({
      ...{ cell: z.string(), variant: z.string(), party: z.string(), set: z.string() },
      ...{ metric, value: z.number() },
    }),
  ),
  /** mean over a party's held-out sets after its last round, then over seeds; of all clients together where party is null */
  means: z.array(
    z.strictObject({ cell: z.string(), variant: z.string(), party: z.string().nullable(), metric, ...spread.shape }),
  ),
  /** a cell less a baseline of its own or another cell, seed by seed, over the sets that both have */
  comparisons: z.array(
    z.strictObject({
      cell: z.string(),
      against: z.string(),
      party: z.string().nullable(),
      metric,
      /** mean over seeds; positive is better, whatever the metric */
      gain: z.number(),
      /** half the width of the 95 % interval by Student's t; null for one seed */
      margin: z.number().nullable(),
      /** seeds */
      count: z.int().min(1),
      /** parties that are better, of all parties of all seeds */
      better: z.int().min(0),
      of: z.int().min(1),
    }),
  ),
});
export type ExperimentResults = z.infer<typeof experimentResults>;
export type ExperimentScore = ExperimentResults["scores"][number];
