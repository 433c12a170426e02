import { describe, expect, it } from "@jest/globals";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { sessionOptions } from "../../../shared/src/engine/session.ts";
import { TOY_LORA, toyFolder, toyOptions } from "./toy-model.ts";

describe("the device that models are computed on", () => {
  it("is the only one that ONNX Runtime is asked for", () => {
    expect(sessionOptions("models/a", 2, "cpu").executionProviders).toEqual(["cpu"]);
    expect(sessionOptions("models/a", 2, "cuda").executionProviders).toEqual(["cuda"]);
    const { executionProviders: _, ...onCpu } = sessionOptions("models/a", 2, "cpu");
    expect(sessionOptions("models/a", 2, "cuda")).toMatchObject(onCpu);
  });

  it("is refused in one clear sentence where CUDA was asked for and is not there: never the processor instead", async () => {
    const engine = createEngine("cuda");
    try {
      const model = await engine.open({ folder: toyFolder(), lora: TOY_LORA, adapter: null, seed: 1, threads: 1 });
      for (const work of [() => model.train(toyOptions()), () => model.logits(Int32Array.of(1, 2))])
        await expect(work()).rejects.toMatchObject({
          name: "InvalidInputError",
          code: "DEVICE_UNAVAILABLE",
          message: expect.stringMatching(
            /^expected a machine that can compute on cuda, as FEDMKT_DEVICE or --device asks for, got: .+/,
          ),
        });
    } finally {
      await engine.close();
    }
  });
});
