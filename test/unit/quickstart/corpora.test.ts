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
import { ownSubjects } from "../../../scripts/quickstart/grammar.ts";
import { SeededRandom } from "../../../scripts/quickstart/seeded-random.ts";

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

  it("show a subject's habits to its own organisation, and not to the server", () => {
    for (const domain of DOMAINS) {
      const [attribute, values] = Object.entries(domain.attributes)[0]!;
      for (const { name, facts } of ownSubjects(domain, new SeededRandom(`${QUICKSTART_SEED}/${domain.id}/facts`))) {
        const favourite = facts[attribute]!.values[0]!;
        expect(shareOf(favourite, values, mentioning(name, domain.id))).toBeGreaterThan(0.4);
        expect(shareOf(favourite, values, mentioning(name, "server"))).toBeLessThan(0.1);
      }
    }
  });
});

function mentioning(subject: string, party: string): string[] {
  return corpora.pretraining.get(party)!.filter((text) => text.includes(subject));
}

/** Of the texts that name any of the values, the share that names this one. */
function shareOf(value: string, values: readonly string[], texts: readonly string[]): number {
  const naming = (one: string) => texts.filter((text) => text.toLowerCase().includes(one.toLowerCase())).length;
  return naming(value) / values.reduce((sum, one) => sum + naming(one), 0);
}
