import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "@jest/globals";
import { callCli, remove } from "../../support/cli.ts";
import { dataOf, makeModelFolder } from "../../support/tiny-model.ts";

const folder = makeModelFolder();
afterAll(() => remove(folder));

async function planOf(model: string, ...more: string[]) {
  const { stdout } = await callCli(folder, ["plan", "--model", model, "--json", ...more]);
  return JSON.parse(stdout).data;
}
const plan = (...more: string[]) => planOf("model", ...more);
/** Of several blocks: with one alone there is nothing to save. */
const SERVER = fileURLToPath(new URL("../../../examples/quickstart/models/server", import.meta.url));

describe("fedmkt plan --model", () => {
  it("counts the parameters and the adapter as training has them", async () => {
    const planned = await plan("--rank", "2", "--targets", "q_proj,v_proj");
    const argv = ["train", "model", "--data", "texts.jsonl", "--learning-rate", "1e-3", "--out", "trained"];
    await dataOf(folder, [...argv, "--rank", "2", "--targets", "q_proj,v_proj"]);
    const adapter = readFileSync(join(folder, "trained/adapter_model.safetensors"));
    const headerBytes = 8 + Number(adapter.readBigUInt64LE());
    expect(planned.adapterBytes).toBe(adapter.length - headerBytes);
    expect(planned.trainableParameters).toBe(planned.adapterBytes / 4);
    const weights = readFileSync(join(folder, "model/model.safetensors"));
    expect(planned.parameters).toBe((weights.length - 8 - Number(weights.readBigUInt64LE())) / 4);
  });

  it("tells memory with and without activation checkpointing, and arithmetic, which grow with the work", async () => {
    const [small, large] = [await planOf(SERVER, "--batch", "1"), await planOf(SERVER, "--batch", "8")];
    const { withCheckpointing, withoutCheckpointing } = large.memoryBytes;
    expect(withCheckpointing.activations).toBeLessThan(withoutCheckpointing.activations);
    expect(small.memoryBytes.withoutCheckpointing.activations).toBeLessThan(withoutCheckpointing.activations);
    const { total, ...parts } = withoutCheckpointing as Record<string, number>;
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
    const { forward, training, trainingWithCheckpointing } = large.flopsPerToken;
    expect(training).toBeGreaterThan(forward);
    expect(trainingWithCheckpointing).toBeGreaterThan(training);
  });

  it("has no adapter where every weight is trained", async () => {
    const planned = await plan("--all-weights");
    expect(planned).toMatchObject({ adapterBytes: null, trainableParameters: planned.parameters });
  });

  it("needs no weights, and says it to people as a table", async () => {
    rmSync(join(folder, "model/model.safetensors"));
    const { exitCode, stdout } = await callCli(folder, ["plan", "--model", "model"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^model: llama, [\d,]+ parameters, context of 64 tokens\ntrained: {4}LoRA of rank 8/);
    expect(stdout).toContain("Peak memory of training with 4 × 64 tokens, estimated");
  });

  it.each([
    [["plan"], "expected SPEC (the run's spec) or --model"],
    [["plan", "run.yaml", "--model", "model"], "expected SPEC (the run's spec) or --model"],
    [["plan", "--model", "model", "--hours", "3"], "--hours goes with a run's spec"],
    [["plan", "run.yaml", "--tokens", "3"], "--tokens goes with --model"],
    [["plan", "--model", "model", "--tokens", "65"], "expected a whole number from 1 to 64"],
    [["plan", "--model", "model", "--all-weights", "--rank", "3"], "--rank is of an adapter"],
    [["plan", "--model", "model", "--targets", "c attn"], "--targets"],
    [["plan", "--model", "gone"], "FILE_MISSING"],
  ])("refuses %j as bad input", async (argv, reason) => {
    const { exitCode, stderr } = await callCli(folder, argv);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });
});
