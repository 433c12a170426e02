import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import {
  buildCorpora,
  DOMAINS,
  QUICKSTART_SEED,
  SAMPLE_BYTES,
  toJsonLines,
} from "../../../scripts/quickstart/corpora.ts";

const data = resolve(import.meta.dirname, "../../../examples/quickstart/data");
const corpora = buildCorpora(QUICKSTART_SEED);

describe("the quickstart's corpora", () => {
  it("are written again byte for byte from their seed", () => {
    expect(corpora.files.size).toBe(7);
    for (const [name, samples] of corpora.files)
      expect({ name, text: toJsonLines(samples) }).toEqual({ name, text: readFileSync(resolve(data, name), "utf8") });
  });

  it("differ with another seed", () => {
    expect(buildCorpora("another").files.get("public.jsonl")).not.toEqual(corpora.files.get("public.jsonl"));
  });

  it("have no text in two places, so that nothing held out was ever trained on", () => {
    const everything = [...corpora.files.values(), ...corpora.pretraining.values()].flat();
    expect(new Set(everything).size).toBe(everything.length);
  });

  it("fit the spec's samples", () => {
    const longest = Math.max(...[...corpora.files.values()].flat().map((text) => Buffer.byteLength(text)));
    expect(longest).toBeLessThanOrEqual(SAMPLE_BYTES);
  });

  it("keep every organisation's habits from the server, and every client's from the others", () => {
    const subjectPairs = (texts: readonly string[], subject: string) => texts.filter((text) => text.includes(subject));
    for (const domain of DOMAINS) {
      const attribute = Object.values(domain.attributes)[0]!;
      for (const subject of domain.subjects.slice(0, 4)) {
        const own = subjectPairs(corpora.pretraining.get(domain.id)!, subject);
        const elsewhere = subjectPairs(corpora.pretraining.get("server")!, subject);
        expect(favouriteShare(own, attribute)).toBeGreaterThan(0.4);
        expect(favouriteShare(elsewhere, attribute)).toBeLessThan(0.25);
      }
    }
  });
});

/** Of the texts that name any of the values, the share that names the commonest one. */
function favouriteShare(texts: readonly string[], values: readonly string[]): number {
  const counts = values.map((value) => texts.filter((text) => text.toLowerCase().includes(value.toLowerCase())).length);
  return Math.max(...counts) / counts.reduce((sum, count) => sum + count, 0);
}
