import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

describe("a model of the engine", () => {
  it("ends in the same bytes with two threads too", async () => {
    const folder = toyFolder();
    const run = () =>
      withModel({ folder, threads: 2 }, async (model) => {
        await model.train(toyOptions());
        return model.adapter();
      });
    expect(await run()).toEqual(await run());
  });

  it("reads a model whose weights are a link to another folder, as download caches have them", async () => {
    const folder = toyFolder();
    const linked = join(toyFolder(), "linked");
    mkdirSync(linked);
    for (const file of ["config.json", "model.safetensors"]) symlinkSync(join(folder, file), join(linked, file));
    const ids = toySamples(6)[0].ids;
    const direct = await withModel({ folder }, (model) => model.logits(ids));
    expect(await withModel({ folder: linked }, (model) => model.logits(ids))).toEqual(direct);
  });

  it("lets a process go on that waits for nothing but the engine's end", () => {
    const program = `
      import { createEngine } from ${JSON.stringify(new URL("../../../shared/src/engine/engine.ts", import.meta.url).href)};
      const engine = createEngine();
      const model = await engine.open(${JSON.stringify({ folder: toyFolder(), lora: null, adapter: null, seed: 1, threads: 1 })});
      await model.close();
      await engine.close();
      console.log("went on");`;
    const file = join(toyFolder(), "program.mjs");
    writeFileSync(file, program);
    const written = execFileSync(process.execPath, ["--no-warnings", file], { encoding: "utf8" });
    expect(written).toBe("went on\n");
  });
});
