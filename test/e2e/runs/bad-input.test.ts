import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type CliResult, fedmkt } from "../../support/cli-process.ts";
import { specYaml, type TinySpec, writeTinyFederation, writeTinyModel } from "../../support/tiny-federation.ts";
import { characterTokenizerJson } from "../../support/tiny-tokenizers.ts";

/** What a user gets who hands in something broken: one error that names party and file, exit 2, and nothing half-written. */
describe("bad input", () => {
  let folder: string;
  let spec: TinySpec;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bad-input-"));
    spec = { ...writeTinyFederation(folder), baselines: [], rounds: 1, evaluation: [] };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (changed: object = spec): Promise<CliResult> => {
    writeFileSync(join(folder, "run.yaml"), specYaml(changed as TinySpec));
    return fedmkt("run", "--local", join(folder, "run.yaml"), "--out", join(folder, "out"));
  };
  const status = async () => JSON.parse((await fedmkt("status", join(folder, "out"), "--json")).stdout).data;

  /** Nothing is published, and the job that failed has committed nothing. */
  function expectNothingHalfWritten(failedJob: RegExp): void {
    expect(existsSync(join(folder, "out/adapters"))).toBe(false);
    expect(existsSync(join(folder, "out/summary.json"))).toBe(false);
    const written = existsSync(join(folder, "out"))
      ? readdirSync(join(folder, "out"), { recursive: true, encoding: "utf8" })
      : [];
    expect(written.filter((path) => failedJob.test(path) && path.includes("manifest"))).toEqual([]);
  }

  it("names all five mistakes of a spec with their paths, and starts nothing", async () => {
    const result = await run({
      ...spec,
      rounds: 0,
      sampelBytes: 48,
      distillation: { lambda: 2, topK: "many" },
      clients: [{ ...spec.clients[0], training: { batchSize: 2 } }, spec.clients[1]],
    });
    expect(result.exitCode).toBe(2);
    for (const path of [
      "rounds",
      "sampelBytes",
      "distillation.lambda",
      "distillation.topK",
      "clients[0].training.learningRate",
    ])
      expect(result.stderr).toContain(path);
    expect(result.stderr).toContain("did you mean sampleBytes?");
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  it("names the party whose model file is missing", async () => {
    rmSync(join(folder, "models/wards/model.safetensors"));
    const result = await run();
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/clients\[1\]\.model: client wards: .*models\/wards has no model\.safetensors/);
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  it("names the party and file of truncated weights, also in its status", async () => {
    const file = join(folder, "models/ships/model.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, -1000));
    const result = await run();
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/ships/);
    expect(result.stderr).toMatch(/model\.safetensors/);
    expect(result.stderr).toMatch(/1000/);
    expect(await status()).toMatchObject({
      standing: "failed",
      error: "InvalidInputError",
      cause: expect.stringContaining("model.safetensors"),
    });
    expectNothingHalfWritten(/ships.*client-train/);
  }, 60_000);

  it("names the party whose tokenizer is larger than its model", async () => {
    writeTinyModel(join(folder, "models/wards"), characterTokenizerJson("abc .,"), 1);
    writeFileSync(
      join(folder, "models/wards/tokenizer.json"),
      JSON.stringify(characterTokenizerJson("abcdefghijklmnopqrstuvwxyz .,")),
    );
    const result = await run();
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/wards: .*models\/wards\/tokenizer\.json has 33 tokens, but the model has only 10/);
    expect(await status()).toMatchObject({ error: "InvalidInputError" });
    expectNothingHalfWritten(/parties/);
  }, 60_000);

  it("names the client, file and line of an empty line in its private data", async () => {
    const file = join(folder, "data/ships.jsonl");
    writeFileSync(file, readFileSync(file, "utf8").replace("\n", "\n\n"));
    const result = await run();
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/client ships: private: .*ships\.jsonl, line 2/);
    expect(await status()).toMatchObject({ standing: "failed", cause: expect.stringContaining("line 2") });
    expectNothingHalfWritten(/ships.*client-train/);
  }, 60_000);
});
