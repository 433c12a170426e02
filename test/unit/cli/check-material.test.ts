import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { checkMaterial } from "../../../cli/src/validate/check-material.ts";
import { callCli, write } from "../../support/cli.ts";

const QUICKSTART = fileURLToPath(new URL("../../../examples/quickstart/", import.meta.url));
const VALIDATE = ["validate", "run.yaml"];

describe("fedmkt validate, looking into the files", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-validate-"));
    cpSync(QUICKSTART, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const breakLine = (name: string, line: number, by: string) => {
    const lines = readFileSync(join(folder, name), "utf8").split("\n");
    lines[line - 1] = by;
    write(folder, name, lines.join("\n"));
  };
  const editSpec = (from: string, to: string) =>
    write(folder, "run.yaml", readFileSync(join(folder, "run.yaml"), "utf8").replace(from, to));

  it("says what it has opened of a federation that is right, the plan included", async () => {
    const { exitCode, stdout } = await callCli(folder, VALIDATE, { checkMaterial });
    expect(exitCode).toBe(0);
    for (const line of [
      "server's model: 935040 parameters, 1024 tokens, context 192",
      "ward's private set: 96 samples",
      "public set 1: 180 samples",
      "held-out set workshop: 40 samples",
      "the plan: 12 shards to align a round, 6 vocabulary maps",
    ])
      expect(stdout).toContain(line);
  });

  it("tells the mistakes of every set and model at once, each at the spec's line that names it", async () => {
    breakLine("data/ward.jsonl", 3, '{"text": 5}');
    breakLine("data/public.jsonl", 2, '{"texts": "a"}');
    write(folder, "data/heldout-harbour.jsonl", "");
    write(folder, "models/workshop/config.json", "{}");
    const { exitCode, stdout } = await callCli(folder, [...VALIDATE, "--json"], { checkMaterial });
    expect(exitCode).toBe(2);
    const lines = readFileSync(join(folder, "run.yaml"), "utf8").split("\n");
    const lineOf = (text: string) => lines.findIndex((line) => line.includes(text)) + 1;
    expect(JSON.parse(stdout).error.details.mistakes).toEqual([
      { path: "clients[2].model", line: lineOf("models/workshop"), message: expect.stringContaining("config.json") },
      { path: "clients[0].private", line: lineOf("data/ward"), message: expect.stringContaining("ward.jsonl, line 3") },
      { path: "public[0]", line: lineOf("data/public"), message: expect.stringContaining("public.jsonl, line 2") },
      { path: "evaluation[1].data", line: lineOf("heldout-harbour"), message: expect.stringContaining("is empty") },
    ]);
  });

  it("refuses a text that no longer fits a model's context, as the run would", async () => {
    editSpec("sampleBytes: 160", "sampleBytes: 4000");
    write(folder, "data/workshop.jsonl", `${JSON.stringify({ text: "the bench and the saw ".repeat(100) })}\n`);
    const { stderr } = await callCli(folder, VALIDATE, { checkMaterial });
    expect(stderr).toMatch(/clients\[2\]\.private: .*at most 192 tokens \(the model's context\)/);
  });

  it("looks at a model's config.json alone where weights and data need not be here", async () => {
    const paper = fileURLToPath(new URL("../../../examples/paper/models/opt-1.3b", import.meta.url));
    editSpec("model: models/server", `model: ${paper}`);
    editSpec("private: data/ward.jsonl", "private: not-here.jsonl");
    expect((await callCli(folder, VALIDATE, { checkMaterial })).exitCode).toBe(2);
    const { exitCode, stdout } = await callCli(folder, [...VALIDATE, "--without-material"], { checkMaterial });
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "server's model: its config.json alone: opt, 50272 tokens, context 2048, LoRA on 144 layers",
    );
    expect(stdout).toMatch(
      /Not looked into .*:\n {2}server's model: .*opt-1\.3b\n {2}ward's private set: .*not-here\.jsonl/,
    );
  });

  it("says what it leaves to the run, since it reads no S3", async () => {
    editSpec("private: data/ward.jsonl", "private: s3://theirs/ward.jsonl");
    const { exitCode, stdout } = await callCli(folder, VALIDATE, { checkMaterial });
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "Not looked into (in S3, at a site, or not here yet: only the run reads it):\n  ward's private set: s3://theirs/ward.jsonl",
    );
    expect(stdout).not.toContain("the plan:");
  });

  it("looks into validation sets, and tells where they share samples with what their party trains on", async () => {
    const [own, shared] = ["ward", "public"].map((name) => readFileSync(join(folder, `data/${name}.jsonl`), "utf8"));
    write(folder, "data/ward-held-out.jsonl", `${own.split("\n")[0]}\n${JSON.stringify({ text: "a bed" })}\n`);
    write(folder, "data/server-held-out.jsonl", `${shared.split("\n").slice(0, 2).join("\n")}\n`);
    editSpec("private: data/ward.jsonl", "private: data/ward.jsonl\n    validation: data/ward-held-out.jsonl");
    editSpec("server:\n", "gate: {}\nserver:\n  validation: data/server-held-out.jsonl\n");
    const { exitCode, stdout } = await callCli(folder, [...VALIDATE, "--json"], { checkMaterial });
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error.details.mistakes).toMatchObject([
      { path: "server.validation", message: expect.stringContaining("2 of 2 are in the public set too") },
      { path: "clients[0].validation", message: expect.stringContaining("1 of 2 are in the private set too") },
    ]);
    write(folder, "data/ward-held-out.jsonl", `${JSON.stringify({ text: "a bed" })}\n`);
    write(folder, "data/server-held-out.jsonl", `${JSON.stringify({ text: "a bench and a bed" })}\n`);
    const mended = await callCli(folder, VALIDATE, { checkMaterial });
    expect(mended.exitCode).toBe(0);
    for (const line of ["server's validation set: 1 sample", "ward's validation set: 1 sample"])
      expect(mended.stdout).toContain(line);
  });

  it("leaves the data that only a client's site holds to the run", async () => {
    editSpec("simulation: true", "simulation: false");
    editSpec("private: data/ward.jsonl", "private: at-the-site.jsonl\n    compute: worker");
    const { exitCode, stdout } = await callCli(folder, VALIDATE, { checkMaterial });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/Not looked into .*:\n {2}ward's private set: at-the-site.jsonl/);
    editSpec("compute: worker", "compute: worker\n    validation: held-out-at-the-site.jsonl");
    editSpec("server:\n", "gate: {}\nserver:\n");
    const gated = await callCli(folder, VALIDATE, { checkMaterial });
    expect([gated.exitCode, gated.stdout]).toEqual([
      0,
      expect.stringContaining("ward's validation set: held-out-at-the-site.jsonl"),
    ]);
    editSpec("\n    compute: worker", "");
    expect((await callCli(folder, VALIDATE, { checkMaterial })).exitCode).toBe(2);
  });
});
