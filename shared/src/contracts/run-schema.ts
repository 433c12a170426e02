import { z } from "zod";
import { runSpec } from "./run-spec.ts";

/** docs/run.schema.json: the JSON Schema (2020-12) of what a person may write, with defaults and descriptions. */
export function writeRunSchema(): string {
  const schema = z.toJSONSchema(runSpec, { io: "input" });
  return `${JSON.stringify({ title: "FedMKT run", ...schema }, null, 2)}\n`;
}
