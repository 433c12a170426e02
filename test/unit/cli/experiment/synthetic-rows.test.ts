import { describe, expect, it } from "@jest/globals";
import { type SyntheticKind, syntheticRows } from "../../../../cli/src/experiment/dry-run/synthetic-rows.ts";
import { openTemplate } from "../../../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { TEMPLATE_NAMES } from "../../../../shared/src/core/tasks/named-templates.ts";
import { parseDataset } from "../../../../shared/src/formats/dataset.ts";
import type { Material } from "../../../../shared/src/ports/material.ts";
import { readSampleSet } from "../../../../shared/src/use-cases/prepare-samples.ts";

const jsonl = (rows: readonly object[]) =>
  new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

describe("synthetic rows", () => {
  it.each(TEMPLATE_NAMES)("of %s pass the template of that name, and are short", async (template) => {
    const bytes = jsonl(syntheticRows({ template }, 20, "a"));
    const deps: Parameters<typeof readSampleSet>[0] = {
      material: { read: async () => bytes } as unknown as Material,
      openTokenizer,
      openTemplate,
    };
    const samples = await readSampleSet(deps, { path: "rows.jsonl", template }, 768, "public");
    expect(samples).toHaveLength(20);
    for (const { prompt, answer, kind } of samples) {
      expect(kind).toBe("completion");
      expect(Math.min(prompt.length, answer.trim().length)).toBeGreaterThan(0);
    }
  });

  it.each<[SyntheticKind, string]>([
    ["text", "text"],
    ["completion", "completion"],
    ["chat", "completion"],
    ["question", "choice"],
  ])("for %s are records of their kind", (kind, expected) => {
    const records = parseDataset(jsonl(syntheticRows({ kind }, 5, "a")), "rows.jsonl");
    expect(records.map((record) => record.kind)).toEqual(Array(5).fill(expected));
  });

  it("are the same for the same seed, and others for another", () => {
    const [once, again, other] = ["a", "a", "b"].map((seed) => syntheticRows({ template: "arc" }, 8, seed));
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });
});
