import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { createProcessTrainer } from "../../../shared/src/adapters/trainer/process-trainer.ts";
import type { Engine, Model } from "../../../shared/src/ports/engine.ts";
import { TOY_LORA, TOY_TRAINING } from "../../unit/engine/toy-model.ts";
import { BARE } from "./check.ts";

const program = resolve(import.meta.dirname, "../../support/trainers/misbehaving-trainer.ts");
const OPEN = { ...BARE, folder: "any", lora: TOY_LORA };
const PATIENCE = { startMs: 20_000, silenceMs: 1_000, closeMs: 1_000 };

async function withTrainer(misbehaviour: string, use: (engine: Engine) => Promise<void>, patience = PATIENCE) {
  const command = [process.execPath, "--no-warnings", program, misbehaviour];
  const engine = createProcessTrainer({ command, patience });
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

const withModel = (misbehaviour: string, use: (model: Model) => Promise<void>) =>
  withTrainer(misbehaviour, async (engine) => use(await engine.open(OPEN)));

describe("a trainer in a process of its own", () => {
  it.each([
    ["whose command is not there", ["no-such-trainer-program"], /ENOENT/],
    ["that ends at once", [process.execPath, program, "ends-at-once"], /exit code 3/],
    ["that speaks another version", [process.execPath, program, "old-version"], /another protocol or version/],
    ["that never greets", [process.execPath, program, "never-greets"], /within 2 s/],
  ])("%s is not available", async (_, command, message) => {
    const engine = createProcessTrainer({ command, patience: { startMs: 2_000, closeMs: 200 } });
    await expect(engine.open(OPEN)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "TRAINER_UNAVAILABLE",
      message: expect.stringMatching(message),
    });
    await engine.close();
  });

  it.each([
    ["dies", "TransientError", "TRAINER_ENDED", /exit code 9/],
    ["is-silent", "TransientError", "TRAINER_SILENT", /within 1 s/],
    ["ends-its-output", "TransientError", "TRAINER_ENDED", /its output ended; it was ended by SIGKILL/],
    ["prints-text", "InvalidInputError", "TRAINER_INVALID", /line of JSON/],
    ["says-nan", "InvalidInputError", "TRAINER_INVALID", /line of JSON/],
    ["another-answer", "InvalidInputError", "TRAINER_INVALID", /answer to adapter, got one to weights/],
    ["another-message", "InvalidInputError", "TRAINER_INVALID", /docs\/trainers\.md/],
    ["too-long", "InvalidInputError", "TRAINER_INVALID", /line of at most/],
    ["too-much", "InvalidInputError", "TRAINER_INVALID", /at most \d+ attached bytes, got 1000000000000/],
    ["no-file", "InvalidInputError", "TRAINER_INVALID", /safetensors file attached, got none/],
    ["broken-file", "InvalidInputError", "TRAINER_INVALID", /header/],
    ["a-question", "InvalidInputError", "TRAINER_INVALID", /got an event/],
    ["fails", "TransientError", "GPU_LOST", /the GPU is gone/],
    ["fails-strangely", "InvalidInputError", "TRAINER_INVALID", /docs\/trainers\.md/],
  ])(
    "that %s where an adapter is asked for ends the request with its code",
    async (misbehaviour, name, code, message) => {
      await withModel(misbehaviour, async (model) => {
        const error = { name, code, message: expect.stringMatching(message) };
        await expect(model.adapter()).rejects.toMatchObject(error);
      });
    },
  );

  it.each([
    ["fewer steps than the data have", { epochs: 2 }, "expected 6 steps and lossByEpoch [2], got 1 and [1]"],
    ["one step of an epoch of three", { epochs: 1 }, "expected 3 steps and lossByEpoch [1], got 1 and [1]"],
  ])("that says it trained %s is not believed", async (_, changes, message) => {
    await withModel("trains-less", async (model) => {
      const samples = Array.from({ length: 3 }, () => ({
        ids: Int32Array.of(1, 2),
        answer: Uint8Array.of(0, 1),
        answerBytes: 1,
      }));
      const training = { ...TOY_TRAINING, batchSize: 1 };
      await expect(
        model.train({ samples, lambda: 1, temperature: 1, seed: 0, training, ...changes }),
      ).rejects.toMatchObject({ code: "TRAINER_INVALID", message: expect.stringContaining(message) });
    });
  });

  it("that is still starting when the engine is closed is ended at once", async () => {
    const command = [process.execPath, program, "never-greets"];
    const engine = createProcessTrainer({ command, patience: { startMs: 600_000, closeMs: 200 } });
    const opened = engine.open(OPEN);
    await Promise.all([expect(opened).rejects.toMatchObject({ code: "ENGINE_CLOSED" }), engine.close()]);
  });

  it("is not reached by a terminal's Ctrl-C, which is for whoever asked it", async () => {
    await withModel("group", async (model) => {
      await expect(model.adapter()).rejects.toMatchObject({ code: "SEEN", message: "its own" });
    });
  });

  it("is not asked again after it broke the protocol, and the next model has another process", async () => {
    await withTrainer("dies", async (engine) => {
      const model = await engine.open(OPEN);
      await expect(model.adapter()).rejects.toMatchObject({ code: "TRAINER_ENDED" });
      await expect(model.weights()).rejects.toMatchObject({ code: "TRAINER_ENDED" });
      await model.close();
      const next = await engine.open(OPEN);
      expect(next).toMatchObject({ vocabularySize: 4, contextTokens: 8, parameters: 16, trainableParameters: 4 });
      await next.close();
    });
  });

  it("gets no credentials and no settings of ours", async () => {
    process.env.AWS_SECRET_ACCESS_KEY = "secret";
    process.env.FEDMKT_TASK_TOKEN = "token";
    try {
      await withModel("environment", async (model) => {
        await expect(model.adapter()).rejects.toMatchObject({ code: "SEEN", message: "" });
      });
    } finally {
      delete process.env.AWS_SECRET_ACCESS_KEY;
      delete process.env.FEDMKT_TASK_TOKEN;
    }
  });

  it("that is silent while its model is closed is ended by force", async () => {
    await withTrainer(
      "is-silent",
      async (engine) => {
        const model = await engine.open(OPEN);
        const asked = model.adapter();
        asked.catch(() => {});
        await setTimeout(100); // until it is under way
        const closed = model.close();
        await expect(asked).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
        await closed;
      },
      { ...PATIENCE, silenceMs: 600_000, closeMs: 300 },
    );
  });

  it("that does not end with its input is ended by force", async () => {
    await withTrainer(
      "never-ends",
      async (engine) => {
        await (await engine.open(OPEN)).close();
      },
      { ...PATIENCE, closeMs: 300 },
    );
  });
});
