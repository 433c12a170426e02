import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { writeRunSchema } from "../../../shared/src/contracts/run-schema.ts";

describe("docs/run.schema.json", () => {
  it("is what scripts/generate-schema.ts writes today", () => {
    const committed = readFileSync(new URL("../../../docs/run.schema.json", import.meta.url), "utf8");
    expect(committed).toBe(writeRunSchema());
  });

  it("refuses unknown keys and demands what has no default", () => {
    const schema = JSON.parse(writeRunSchema());
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toEqual(["name", "rounds", "sampleBytes", "server", "clients", "public"]);
  });
});
