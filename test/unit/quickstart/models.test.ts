import { readdirSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { PARTIES } from "../../../scripts/quickstart/parties.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeSample } from "../../../shared/src/core/alignment/encode-sample.ts";
import { engine } from "../../support/shared-engine.ts";

const quickstart = resolve(import.meta.dirname, "../../../examples/quickstart");
const CLIENTS = ["ward", "harbour", "workshop"];
const SAMPLES = 12;

function heldOut(domain: string): string[] {
  const lines = readFileSync(resolve(quickstart, `data/heldout-${domain}.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.slice(0, SAMPLES).map((line) => JSON.parse(line).text);
}

/** @returns a party's bits per byte by domain, before any run */
async function bitsPerByte(party: string): Promise<Map<string, number>> {
  const folder = resolve(quickstart, "models", party);
  const read = (name: string) => readFileSync(resolve(folder, name));
  const tokenizer = openTokenizer(read("tokenizer.json"), read("config.json"), party);
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 0, threads: 1 });
  const scores = new Map<string, number>();
  for (const domain of CLIENTS) {
    const samples = heldOut(domain).map((answer) =>
      encodeSample(
        { id: new Uint8Array(16), prompt: "", answer, kind: "text", line: 1 },
        tokenizer,
        model.contextTokens,
      ),
    );
    const nats = (await model.score(samples, SAMPLES)).reduce((sum, one) => sum + one, 0);
    const bytes = samples.reduce((sum, { answerBytes }) => sum + answerBytes, 0);
    scores.set(domain, nats / bytes / Math.LN2);
  }
  await model.close();
  return scores;
}

describe("the quickstart's models", () => {
  it("know their own domain better than anybody else does, so that each has something to teach", async () => {
    const byParty = new Map<string, Map<string, number>>();
    for (const { id } of PARTIES) byParty.set(id, await bitsPerByte(id));
    for (const domain of CLIENTS) {
      const own = byParty.get(domain)!.get(domain)!;
      for (const { id } of PARTIES)
        if (id !== domain) expect(byParty.get(id)!.get(domain)!).toBeGreaterThan(own + 0.05);
    }
  });

  it("take at most 6 MB with everything else of the quickstart", () => {
    const files = readdirSync(quickstart, { recursive: true, encoding: "utf8" }).map((name) =>
      statSync(resolve(quickstart, name)),
    );
    const bytes = files.filter((file) => file.isFile()).reduce((sum, file) => sum + file.size, 0);
    expect(bytes).toBeLessThan(6_000_000);
  });
});
