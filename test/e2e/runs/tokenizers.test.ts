import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runSummary } from "../../../shared/src/contracts/summary.ts";
import { fedmkt } from "../../support/cli-process.ts";
import { specYaml, type TinySpec, writeTinyFederation, writeTinyModel } from "../../support/tiny-federation.ts";
import { unigramTokenizerJson, wordPieceTokenizerJson } from "../../support/tiny-tokenizers.ts";

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const PUBLIC = [
  "The ship passes the ward.",
  "THE NURSE,  and the Crew",
  "the doctor waits at the café",
  "a quiet shöre;  the ship",
  "The Ward and the ﬁne ship",
];

/** Clients whose tokenizers lower, compose, strip accents and drop white space, beside a server that does nothing of it. */
describe("fedmkt run --local with WordPiece and Unigram", () => {
  let folder: string;
  let spec: TinySpec;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tokenizers-run-"));
    spec = { ...writeTinyFederation(folder), rounds: 1, baselines: [], evaluation: [] };
    const wordPiece = wordPieceTokenizerJson([
      ...LETTERS,
      ...LETTERS.map((letter) => `##${letter}`),
      ...["the", "ship", "war", "##d", "##ip", ".", ";", "ﬁ"],
    ]);
    const unigram = unigramTokenizerJson([...LETTERS, "é", "ö", ".", ",", ";", "▁the", "▁ship", "▁wa", "rd"], {
      normalizers: [{ type: "NFKC" }, { type: "Lowercase" }],
    });
    writeTinyModel(join(folder, "models/ships"), wordPiece, 8);
    writeTinyModel(join(folder, "models/wards"), unigram, 9);
    writeFileSync(join(folder, "data/public.jsonl"), PUBLIC.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("succeeds, and carries knowledge both ways", async () => {
    const file = join(folder, "run.yaml");
    const out = join(folder, "out");
    writeFileSync(file, specYaml(spec));
    const { exitCode, stdout } = await fedmkt("run", "--local", file, "--out", out, "--json");
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { ok: true, data: { status: "SUCCEEDED" } }]);
    const summary = runSummary.parse(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")));
    expect(summary.selections.some(({ none, samples }) => none < samples)).toBe(true);
    expect(summary.transfers.map(({ source, target }) => `${source} ${target}`).sort()).toEqual([
      "server ships",
      "server wards",
      "ships server",
      "wards server",
    ]);
    for (const { alignedShare, keptMass } of summary.transfers) {
      expect(alignedShare).toBeGreaterThan(0.2);
      expect(keptMass).toBeGreaterThan(0);
    }
  }, 120_000);
});
