import { readFileSync, writeFileSync } from "node:fs";
import { summarizeApp } from "./summaries/summarize-app.ts";

/** Writes test/cdk/summaries/<stack>.txt for both environments. `--check` only says whether they are up to date. */
const folder = new URL("../test/cdk/summaries/", import.meta.url);
const check = process.argv.includes("--check");
for (const [stack, summary] of summarizeApp()) {
  const file = new URL(`${stack}.txt`, folder);
  if (!check) writeFileSync(file, summary);
  else if (readFileSync(file, "utf8") !== summary) {
    console.error(`test/cdk/summaries/${stack}.txt does not tell of the stack as it is; run npm run generate`);
    process.exitCode = 1;
  }
}
