import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { STAGES, type StageName } from "../../../shared/src/contracts/stages.ts";

const source = new URL("../../../functions/src/", import.meta.url);
const names = readdirSync(source);
const lambdas = Object.keys(STAGES).filter((stage) => STAGES[stage as StageName].host === "lambda");

describe("the functions", () => {
  it("are one a Lambda stage, the one for dead letters and the one for ended runs", () => {
    expect(names.sort()).toEqual([...lambdas, "fail-task", "stop-tasks"].sort());
  });

  it.each(names)("%s has an entry of three lines that decides nothing", (name) => {
    const lines = readFileSync(new URL(`${name}/entry.ts`, source), "utf8")
      .trim()
      .split("\n");
    expect(lines.filter((line) => line !== "")).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^export const handler = createHandler\(/);
  });

  it.each(names)("%s can be imported as a handler without any effect or environment", async (name) => {
    const module = await import(new URL(`${name}/handler.ts`, source).pathname);
    expect(module.createHandler).toBeInstanceOf(Function);
  });
});
