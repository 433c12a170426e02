import { join, resolve } from "node:path";
import { renderReport } from "@fedmkt/shared/report/render-report.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { RUN_FILES, readRunSummary, writeRunFile } from "../run-folder.ts";

export const command: Command = {
  meta: { name: "report", description: "write a finished run's report.html again, from its summary.json" },
  args: {
    folder: { type: "positional", required: true, description: "a finished run's folder" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt report runs/quickstart"],
  async run({ args, io }): Promise<Outcome> {
    const folder = resolve(io.cwd, args.folder as string);
    writeRunFile(folder, RUN_FILES.report, renderReport(readRunSummary(folder)));
    const report = join(folder, RUN_FILES.report);
    return { data: { report }, text: report };
  },
};
