import { z } from "zod";
import { findExperimentContradictions } from "./experiment-contradictions.ts";
import { resourceName } from "./identifier.ts";

/** Some keys of a run's spec; what they mean is looked at where all parts of a cell are put together. */
const partialSpec = z.record(z.string(), z.unknown());

/** A level that looks like a number is one to YAML, and its name all the same. */
const levelName = z.union([z.string(), z.number().transform(String)]);

const levels = z.record(z.string(), partialSpec);

/** An experiment's file: which runs there are, as changes of one spec. Unknown keys are errors. */
export const experimentFile = z
  .strictObject({
    $schema: z.string().optional(),
    name: resourceName.describe("the experiment's id; its runs' names begin with it"),
    base: z
      .union([z.string().min(1).max(1024), partialSpec])
      .describe("a run's spec: a path relative to this file, or the spec itself"),
    seeds: z
      .array(z.int().min(0).max(0xffffffff))
      .min(1)
      .max(1000)
      .describe("every cell is run once with each; the variable SEED in locations stands for it"),
    factors: z
      .record(z.string(), levels)
      .default({})
      .describe("factor → level → what the level changes in the spec; cells are the product of all factors' levels"),
    runs: z
      .record(z.string(), partialSpec)
      .default({})
      .describe("name → what it changes in the spec: one more factor, called run, beside the others or alone"),
    exclude: z
      .array(z.record(z.string(), levelName))
      .default([])
      .describe("cells left out: those that have all levels of one of these"),
    published: z
      .record(z.string(), z.record(z.string(), z.number()))
      .default({})
      .describe(
        "cell → party/set/metric, of a baseline baseline/party/set/metric → a figure of others, in the unit of the tables",
      ),
    compare: z
      .array(z.strictObject({ cell: levelName, against: levelName }))
      .optional()
      .describe(
        "what is compared by seed: a cell with another or with a baseline; each with all its baselines and the first cell unless given",
      ),
  })
  .superRefine((file, context) => {
    for (const { path, message } of findExperimentContradictions(file))
      context.addIssue({ code: "custom", path, message });
  });
export type ExperimentFile = z.infer<typeof experimentFile>;
