import { InvalidSpecError } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { estimateCost, roundOfBudgetStop } from "@fedmkt/shared/core/cost/estimate-cost.ts";
import { PRICE_TABLE } from "@fedmkt/shared/core/cost/prices.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { describeEstimate, listAssumptions } from "../plan/describe-estimate.ts";
import { findWarnings } from "../plan/find-warnings.ts";
import { measureRun } from "../plan/measure-run.ts";
import { MODEL_PLAN_ARGUMENTS } from "../plan/model-plan-arguments.ts";
import { readSpecFile } from "../read-spec-file.ts";
import { ANY_PLACE, NOT_HERE_YET, WITHOUT_MATERIAL_ARGUMENT } from "../site-data.ts";

const INSTANCE = "g5.xlarge";

export const command: Command = {
  meta: {
    name: "plan",
    description:
      "what a run in the cloud would do and cost, and what would stop it, or what training one model takes; writes and starts nothing",
  },
  args: {
    spec: { type: "positional", required: false, description: "the run's spec" },
    instance: {
      type: "string",
      valueHint: "type",
      description: `what the cluster's workers run on: an EC2 instance type with a GPU, or fargate-4vcpu-16gb (default: ${INSTANCE})`,
    },
    "on-demand": { type: "boolean", description: "workers on demand; spot unless given" },
    hours: {
      type: "string",
      valueHint: "n",
      description: "hours of the cluster's machines, where they are known; else reckoned from tokens and parameters",
    },
    ...WITHOUT_MATERIAL_ARGUMENT,
    ...MODEL_PLAN_ARGUMENTS,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt plan examples/quickstart/run.yaml --instance fargate-4vcpu-16gb",
    "fedmkt plan run.yaml --instance g6e.xlarge --on-demand --json",
    "fedmkt plan run.yaml --without-material",
    "fedmkt plan --model models/smollm2 --batch 4 --tokens 512 --rank 8",
  ],
  async run({ args, io, dependencies }): Promise<Outcome> {
    refuseOthersOptions(args);
    if (args.model !== undefined) return (await import("../plan/plan-model.ts")).planModel(args, io);
    const shown = args.spec as string;
    const { spec, yaml, placeOf } = readSpecFile(
      shown,
      io,
      args["without-material"] === true ? NOT_HERE_YET : ANY_PLACE,
    );
    const { mistakes } = await dependencies.checkMaterial(spec, yaml);
    if (mistakes.length > 0)
      throw new InvalidSpecError(
        shown,
        mistakes.map(({ path, message }) => ({
          ...(path.length === 0 ? { path: "", line: null } : placeOf(path)),
          message,
        })),
      );
    const options = {
      instanceType: (args.instance as string | undefined) ?? INSTANCE,
      spot: args["on-demand"] !== true,
      machineHours: readHours(args.hours as string | undefined),
    };
    const { size, parties, assumptions } = await measureRun(spec);
    const estimate = estimateCost(size, options);
    const warnings = findWarnings(size, estimate, options);
    const stopsAfterRound = spec.budget === undefined ? null : roundOfBudgetStop(estimate, spec.budget.dollars);
    const assumed = [...assumptions, ...listAssumptions(options)];
    const budget = spec.budget === undefined ? null : { dollars: spec.budget.dollars, stopsAfterRound };
    return {
      data: {
        run: spec.name,
        method: spec.method,
        distillation: spec.distillation,
        prices: PRICE_TABLE,
        options,
        ...estimate,
        parties,
        budget,
        warnings,
        assumptions: assumed,
      },
      text: describeEstimate({
        spec,
        size,
        parties,
        estimate,
        budget,
        warnings,
        assumptions: assumed,
        colours: io.colours,
      }),
    };
  },
};

const RUN_OPTIONS = ["instance", "on-demand", "hours", "without-material"];
const MODEL_OPTIONS = Object.keys(MODEL_PLAN_ARGUMENTS).filter((name) => name !== "model");

/** A run is planned or a model: an option of the one says nothing of the other. */
function refuseOthersOptions(args: CommandContext["args"]): void {
  const refuse = (reason: string) => new InvalidInputError("BAD_ARGUMENT", `fedmkt plan: ${reason}`);
  if ((args.spec === undefined) === (args.model === undefined))
    throw refuse("expected SPEC (the run's spec) or --model, and not both");
  const [others, expected] = args.model === undefined ? [MODEL_OPTIONS, "--model"] : [RUN_OPTIONS, "a run's spec"];
  const found = others.find((name) => args[name] !== undefined);
  if (found !== undefined) throw refuse(`--${found} goes with ${expected}`);
}

function readHours(text: string | undefined): number | null {
  if (text === undefined) return null;
  const hours = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || hours > 1e6)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt plan: --hours: expected a number from 0 to 1000000, got ${JSON.stringify(text)}`,
    );
  return hours;
}
