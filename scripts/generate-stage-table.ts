import { readFileSync, writeFileSync } from "node:fs";
import { STAGES } from "../shared/src/contracts/stages.ts";

/** Writes the table of stages into docs/architecture.md. `--check` only says whether it is up to date. */
const path = new URL("../docs/architecture.md", import.meta.url);
const [start, end] = ["<!-- stages: npm run generate -->", "<!-- end of stages -->"];
const rows = Object.entries(STAGES).map(([name, { host, does }]) => `| \`${name}\` | ${host} | ${does} |`);
const table = [start, "| stage | host | does |", "|---|---|---|", ...rows, end].join("\n");
const before = readFileSync(path, "utf8");
const after = `${before.slice(0, before.indexOf(start))}${table}${before.slice(before.indexOf(end) + end.length)}`;
if (!process.argv.includes("--check")) writeFileSync(path, after);
else if (before !== after) {
  console.error("docs/architecture.md: the table of stages is not that of contracts/stages.ts; run npm run generate");
  process.exit(1);
}
