import { resolve } from "node:path";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { inspectFile } from "../inspect/inspect-file.ts";

export const command: Command = {
  meta: { name: "inspect", description: "show what a file of a run holds, and check it" },
  args: {
    file: {
      type: "positional",
      required: true,
      description:
        "a knowledge shard, aligned shard, vocabulary map, adapter or model (safetensors), plan or manifest (JSON)",
    },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt inspect shard-00000", "fedmkt inspect runs/quickstart/adapters/server/adapter_model.safetensors"],
  async run({ args, io }): Promise<Outcome> {
    const file = args.file as string;
    const inspection = inspectFile(resolve(io.cwd, file), file);
    const facts = Object.entries(inspection.facts);
    const width = Math.max(...facts.map(([name]) => name.length));
    return {
      data: { file, ...inspection },
      text: [
        `${file}: ${inspection.kind}`,
        ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
        ...inspection.lines.map((line) => `  ${line}`),
      ].join("\n"),
    };
  },
};
