import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";
import { inspectIn } from "../../support/inspect-file.ts";
import { publishedAdapter } from "../../support/published-adapter.ts";
import { SUMMARY } from "../../support/summary.ts";

const HASH = "cd".repeat(32);

describe("fedmkt inspect", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));
  const { inspect, read } = inspectIn(() => folder);

  it("lists the tensors of any other safetensors file", async () => {
    const { data } = await inspect(
      writeSafetensors({ a: { dtype: "F32", shape: [2, 3], data: new Float32Array(6) } }, { format: "pt" }),
    );
    expect(data).toMatchObject({ kind: "safetensors", facts: { format: "pt", elements: 6 }, lines: ["a: F32 [2, 3]"] });
  });

  it("knows a run's documents", async () => {
    expect((await inspect(encodeJson(SUMMARY))).data).toMatchObject({ kind: "run summary", facts: { run: "toy" } });
    expect(
      (await inspect('{"run":"toy","status":"FAILED","execution":"e","error":"E","cause":"why"}')).data,
    ).toMatchObject({
      kind: "run status",
      lines: ["why"],
    });
    const outputs = [{ name: "scores.json", bytes: 2048, sha256: HASH }];
    const identity = { version: 1, run: "toy", round: 1, stage: "evaluate", party: "ward" };
    expect((await inspect(encodeJson({ ...identity, outputs, metrics: { loss: 2.5 }, facts: {} }))).data).toMatchObject(
      {
        kind: "manifest",
        facts: { stage: "evaluate", loss: 2.5 },
        lines: [`scores.json: 2.0 KiB, SHA-256 ${HASH}`],
      },
    );
  });

  it("knows an adapter's registry entry, also one that says no time", async () => {
    const { entry } = publishedAdapter({ party: "ward", run: "toy", second: 5, losses: { texts: 2.25 } });
    const [readme] = entry.adapter.files;
    expect((await inspect(encodeJson(entry))).data).toMatchObject({
      kind: "registry entry",
      facts: { party: "ward", run: "toy", rounds: 2, published: "2026-01-01T00:00:05.000Z", "base model": "model" },
      lines: [
        `README.md: 11 B, SHA-256 ${readme.sha256}`,
        ...Array(2).fill(expect.any(String)),
        "on texts: 2.250 bits-per-byte",
      ],
    });
    const { publishedAt: _, ...older } = entry;
    expect((await inspect(encodeJson(older))).data.facts.published).toBe("not said");
  });

  it.each([
    ["per-byte", "bits/byte"],
    ["per-token", "nats/token"],
  ] as const)("says in which unit the gaps of a selection by %s are", async (lossMetric, unit) => {
    const count = SUMMARY.selections[0];
    const { round, target } = count;
    const choice = { sources: Object.keys(count.bySource), rule: "strict", lossMetric, winners: [], gaps: [] };
    const bytes = encodeJson({ version: 2, run: "toy", round, target, ...choice, shares: null, count, transfers: [] });
    expect((await inspect(bytes)).data.facts["mean gap"]).toBe(count.meanGap);
    expect(await read(bytes)).toMatch(new RegExp(`mean gap +[0-9.−-]+ ${unit}\\n`));
  });

  it("says of a selection by token by what sources are ahead, and of bounds how many samples they cost", async () => {
    const count = { ...SUMMARY.selections[0], meanLossGap: -0.25, outOfBounds: { near: 5, far: 2 } };
    const { round, target } = count;
    const of = (rule: string) =>
      encodeJson({
        ...{
          version: 2,
          run: "toy",
          round,
          target,
          sources: Object.keys(count.bySource),
          rule,
          lossMetric: "per-byte",
        },
        ...{ winners: [], gaps: [], shares: null, count, transfers: [] },
      });
    expect((await inspect(of("token"))).data.facts).toMatchObject({
      "learned from nobody": count.none,
      "mean advantage": count.meanGap,
      "mean gap of losses": -0.25,
      "better by at most minGap": 5,
      "better by more than maxGap": 2,
    });
    expect(Object.keys((await inspect(of("confidence"))).data.facts)).toContain("learned from nobody");
    expect(Object.keys((await inspect(of("greater"))).data.facts)).toContain("won by the target itself");
  });

  it("sends a spec to validate", async () => {
    expect(await callCli(folder, ["inspect", "run.yaml"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("run.yaml: is a spec; fedmkt validate run.yaml checks it"),
    });
  });

  it("rounds numbers for people and keeps them whole for programs", async () => {
    const identity = { version: 1, run: "toy", round: 1, stage: "evaluate", party: "ward" };
    const bytes = encodeJson({ ...identity, outputs: [], metrics: { loss: 2.123456 }, facts: {} });
    expect((await inspect(bytes)).data.facts.loss).toBe(2.123456);
    expect((await callCli(folder, ["inspect", "it"])).stdout).toMatch(/loss +2\.123\n/);
  });

  it.each([
    ["a missing file", null, "FILE_MISSING"],
    ["JSON of another form", '{"a":1}', "FILE_UNKNOWN"],
    ["broken JSON", '{"a":', "FILE_UNKNOWN"],
    ["an empty file", "", "FILE_UNKNOWN"],
    ["text", "some text that is longer than eight bytes", "SAFETENSORS_INVALID"],
  ])("is bad input for %s", async (_, content, code) => {
    if (content === null) remove(`${folder}/it`);
    else write(folder, "it", content);
    const { exitCode, stdout } = await callCli(folder, ["inspect", "it", "--json"]);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ name: "InvalidInputError", code });
  });
});
