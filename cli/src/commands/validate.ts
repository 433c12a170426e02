import { InvalidSpecError } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { readSpecFile } from "../read-spec-file.ts";
import { ANY_PLACE, NOT_HERE_YET, WITHOUT_MATERIAL_ARGUMENT } from "../site-data.ts";

export const command: Command = {
  meta: {
    name: "validate",
    description: "check a spec and the models and data that it names, as planning does; writes and trains nothing",
  },
  args: {
    spec: { type: "positional", required: true, description: "the run's spec" },
    ...WITHOUT_MATERIAL_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt validate examples/quickstart/run.yaml", "fedmkt validate run.yaml --json"],
  async run({ args, io, dependencies }): Promise<Outcome> {
    const shown = args.spec as string;
    const { spec, yaml, hash, placeOf } = readSpecFile(
      shown,
      io,
      args["without-material"] === true ? NOT_HERE_YET : ANY_PLACE,
    );
    const { mistakes, checked, unchecked } = await dependencies.checkMaterial(spec, yaml);
    if (mistakes.length > 0)
      throw new InvalidSpecError(
        shown,
        mistakes.map(({ path, message }) => ({
          ...(path.length === 0 ? { path: "", line: null } : placeOf(path)),
          message,
        })),
      );
    const { name: run, rounds, evaluation, baselines } = spec;
    const clients = spec.clients.map(({ id }) => id);
    const lines = [
      `${shown}: right. Run ${run}: ${count(rounds, "round")}, ${clients.length === 1 ? "client" : "clients"} ${clients.join(", ")}, ${count(evaluation.length, "held-out set")}, baselines ${baselines.join(", ") || "none"}. Hash ${hash}.`,
      "Checked:",
      ...checked.map((line) => `  ${line}`),
      ...(unchecked.length === 0
        ? []
        : [
            "Not looked into (in S3, at a site, or not here yet: only the run reads it):",
            ...unchecked.map((line) => `  ${line}`),
          ]),
    ];
    return {
      data: { run, specHash: hash, rounds, clients, sets: evaluation.length, baselines, checked, unchecked },
      text: lines.join("\n"),
    };
  },
};
