import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { readSpecFile } from "../read-spec-file.ts";

export const command: Command = {
  meta: { name: "validate", description: "check a spec and the files that it names; all mistakes at once" },
  args: {
    spec: { type: "positional", required: true, description: "the run's spec" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt validate examples/quickstart/run.yaml", "fedmkt validate run.yaml --json"],
  async run({ args, io }): Promise<Outcome> {
    const { spec, hash } = readSpecFile(args.spec as string, io, { mayReadS3: true });
    const { name: run, rounds, clients, evaluation, baselines } = spec;
    return {
      data: { run, specHash: hash, rounds, clients: clients.map(({ id }) => id), sets: evaluation.length, baselines },
      text: `${args.spec}: right. Run ${run}: ${rounds} rounds, clients ${clients.map(({ id }) => id).join(", ")}, ${evaluation.length} held-out sets, baselines ${baselines.join(", ") || "none"}. Hash ${hash}.`,
    };
  },
};
