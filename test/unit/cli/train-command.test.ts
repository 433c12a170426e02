import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { lockFolder } from "../../../cli/src/folder-lock.ts";
import { parsePeftAdapter } from "../../../shared/src/formats/peft-adapter.ts";
import type { Engine } from "../../../shared/src/ports/engine.ts";
import { remove, write } from "../../support/cli.ts";
import { callWithEngine, dataOf, makeModelFolder } from "../../support/tiny-model.ts";

const folder = makeModelFolder();
afterAll(() => remove(folder));

const SETTINGS = ["--learning-rate", "0.02", "--epochs", "3", "--batch-size", "2", "--rank", "2", "--alpha", "4"];
const train = (out: string, ...more: string[]) => [
  "train",
  "model",
  "--data",
  "texts.jsonl",
  "--out",
  out,
  ...SETTINGS,
  ...more,
];
const read = (...path: string[]) => readFileSync(join(folder, ...path));
const contents = (out: string) =>
  Object.fromEntries(readdirSync(join(folder, out)).map((name) => [name, read(out, name).toString("base64")]));

/** The engine, with Ctrl-C pressed while a training is at a step. */
function interruptedAt(at: number, controller: AbortController) {
  return (engine: Engine): Engine => ({
    ...engine,
    open: async (options) => {
      const model = await engine.open(options);
      return {
        ...model,
        train: (training) =>
          model.train({
            ...training,
            onProgress: (progress) => {
              training.onProgress?.(progress);
              if (progress.step === at) controller.abort();
            },
          }),
      };
    },
  });
}

async function interrupt(at: number, argv: readonly string[]) {
  const controller = new AbortController();
  const { signal } = controller;
  const run = await callWithEngine(folder, argv, { signal, changed: interruptedAt(at, controller) });
  return run;
}

describe("fedmkt train", () => {
  it("writes a PEFT folder with the curve, and held-out losses before, after each epoch and at the end", async () => {
    const data = await dataOf(folder, train("first", "--held-out", "held-out.jsonl"));
    expect(data).toMatchObject({ folder: join(folder, "first"), samples: 6, steps: 9, reused: false });
    expect(readdirSync(join(folder, "first")).sort()).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "training.json",
    ]);
    const adapter = parsePeftAdapter(
      read("first/adapter_config.json"),
      read("first/adapter_model.safetensors"),
      "first",
    );
    expect(adapter).toMatchObject({ baseModel: "model", rank: 2, alpha: 4 });
    const training = JSON.parse(read("first/training.json").toString());
    expect(training.curve).toHaveLength(9);
    expect(training.curve[8]).toEqual({
      step: 9,
      lossNats: expect.any(Number),
      learningRate: expect.any(Number),
    });
    expect(training.lossByEpoch[2]).toBeLessThan(training.lossByEpoch[0]);
    expect(training.heldOut.map(({ epoch, step }: { epoch: number; step: number }) => [epoch, step])).toEqual([
      [0, 0],
      [1, 3],
      [2, 6],
      [3, 9],
    ]);
    expect(training.heldOut[3].bitsPerByte).toBeLessThan(training.heldOut[0].bitsPerByte);
    expect(data.heldOut).toEqual(training.heldOut);
  });

  it("makes the same bytes again, whether or not held-out samples are scored on the way", async () => {
    await dataOf(folder, train("again", "--held-out", "held-out.jsonl"));
    expect(contents("again")).toEqual(contents("first"));
    await dataOf(folder, train("unscored"));
    expect(read("unscored/adapter_model.safetensors")).toEqual(read("first/adapter_model.safetensors"));
  });

  it("makes an adapter with which the model scores as it did at the end", async () => {
    const { heldOut } = JSON.parse(read("first/training.json").toString());
    const scored = await dataOf(folder, ["evaluate", "model", "--adapter", "first", "--data", "held-out.jsonl"]);
    expect(scored.bitsPerByte).toBeCloseTo(heldOut[3].bitsPerByte, 5);
  });

  it("goes on from an adapter, whose shape is the new one's", async () => {
    const settings = ["--learning-rate", "0.01", "--held-out", "held-out.jsonl"];
    const argv = ["train", "model", "--data", "texts.jsonl", "--out", "second", "--adapter", "first", ...settings];
    const { heldOut } = await dataOf(folder, argv);
    const before = JSON.parse(read("first/training.json").toString()).heldOut[3];
    expect(heldOut[0].bitsPerByte).toBeCloseTo(before.bitsPerByte, 5);
    expect(JSON.parse(read("second/adapter_config.json").toString())).toMatchObject({ r: 2, lora_alpha: 4 });
    expect(await callWithEngine(folder, [...argv, "--rank", "3"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--rank is of a fresh adapter"),
    });
  });

  it("trains every weight where that is asked for: the result is a model", async () => {
    const argv = [
      "train",
      "model",
      "--data",
      "texts.jsonl",
      "--out",
      "whole",
      "--all-weights",
      "--learning-rate",
      "0.01",
    ];
    const { heldOut } = await dataOf(folder, [...argv, "--held-out", "held-out.jsonl"]);
    const { bitsPerByte } = await dataOf(folder, ["evaluate", "whole", "--data", "held-out.jsonl"]);
    expect(bitsPerByte).toBeCloseTo(heldOut[1].bitsPerByte, 5);
    expect(bitsPerByte).toBeLessThan(heldOut[0].bitsPerByte);
  });

  it("tells of Ctrl-C with the command that goes on, and goes on to the same bytes", async () => {
    const stopped = await interrupt(4, train("put-down", "--held-out", "held-out.jsonl", "--json"));
    expect(stopped.exitCode).toBe(1);
    const { error } = JSON.parse(stopped.stdout);
    expect(error).toMatchObject({ name: "TransientError", code: "STOPPED_BY_HAND", details: { step: 4 } });
    expect(error.details.resume).toMatch(/^fedmkt train model .*--threads 1 .*--learning-rate 0\.02 .*--resume/);
    expect(await callWithEngine(folder, train("put-down"))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/FOLDER_IN_USE.*go on with --resume/s),
    });
    const argv = (error.details.resume as string).split(" ").slice(1);
    const { exitCode, stdout, stderr } = await callWithEngine(
      folder,
      argv.filter((word) => word !== "--json"),
    );
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("put-down: 9 steps")]);
    expect(stderr).toContain("goes on after step 4\n");
    expect(contents("put-down")).toEqual(contents("first"));
  });

  it("tells of the command as it was called: of a checkout with npx, which finds it there", async () => {
    const controller = new AbortController();
    const more = { signal: controller.signal, changed: interruptedAt(1, controller), env: { npm_command: "exec" } };
    const { stderr } = await callWithEngine(folder, train("by-npx"), more);
    expect(stderr).toMatch(/to go on:\nnpx fedmkt train model .*--resume\n$/s);
  });

  it.each([1, 3, 8, 9])(
    "goes on to the same bytes where it was stopped at step %i of 9, and stopped again",
    async (at) => {
      const argv = train(`stopped-${at}`, "--held-out", "held-out.jsonl");
      expect((await interrupt(at, argv)).exitCode).toBe(1);
      if (at === 1) expect((await interrupt(5, [...argv, "--resume"])).exitCode).toBe(1);
      await dataOf(folder, [...argv, "--resume"]);
      expect(contents(`stopped-${at}`)).toEqual(contents("first"));
    },
  );

  it("goes on where a checkpoint cannot be written, and says so", async () => {
    const argv = train("full-disk", "--held-out", "held-out.jsonl");
    const controller = new AbortController();
    mkdirSync(join(folder, "full-disk/checkpoint/state.safetensors.part"), { recursive: true });
    const { exitCode, stderr } = await callWithEngine(folder, [...argv, "--resume", "--checkpoint-every", "0"], {
      signal: controller.signal,
      changed: interruptedAt(5, controller),
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/the checkpoint could not be written: EISDIR.*this could not be written down \(EISDIR/s);
    rmdirSync(join(folder, "full-disk/checkpoint/state.safetensors.part"));
    await dataOf(folder, [...argv, "--resume"]);
    expect(contents("full-disk")).toEqual(contents("first"));
  });

  it("refuses to go on with another training, and says what has changed", async () => {
    expect((await interrupt(2, train("other"))).exitCode).toBe(1);
    const argv = train("other", "--resume").map((word) => (word === "0.02" ? "0.03" : word));
    const { exitCode, stderr } = await callWithEngine(folder, argv);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining("not as then: settings.training.learningRate (then 0.02, now 0.03); go on with"),
    ]);
    write(folder, "others.jsonl", '{"text":"other words"}\n');
    const data = train("other", "--resume").map((word) => (word === "texts.jsonl" ? "others.jsonl" : word));
    expect((await callWithEngine(folder, data)).stderr).toMatch(/CHECKPOINT_FOREIGN.*not as then: data \(/s);
  });

  it("does nothing where the training is finished already, and begins where nothing was begun", async () => {
    const before = contents("first");
    expect(await dataOf(folder, train("first", "--held-out", "held-out.jsonl", "--resume"))).toMatchObject({
      reused: true,
    });
    expect(contents("first")).toEqual(before);
    await dataOf(folder, train("new", "--held-out", "held-out.jsonl", "--resume"));
    expect(contents("new")).toEqual(before);
  });

  it("tells a training that is going on from one that was not finished", async () => {
    write(folder, "going-on/checkpoint/progress.json", "{}");
    const release = lockFolder(join(folder, "going-on"));
    const during = await callWithEngine(folder, train("going-on"));
    release();
    const after = await callWithEngine(folder, train("going-on"));
    expect([during.stderr, after.stderr]).toEqual([
      expect.stringContaining(`process ${process.pid} is running there`),
      expect.stringContaining("go on with --resume"),
    ]);
  });

  it("leaves a folder alone that is not its own", async () => {
    write(folder, "mine/notes.txt", "mine");
    for (const more of [[], ["--resume"]])
      expect(await callWithEngine(folder, train("mine", ...more))).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining("FOLDER_IN_USE"),
      });
    expect(readdirSync(join(folder, "mine"))).toEqual(["notes.txt"]);
  });

  it("refuses an adapter that is not there, or beside training every weight, or too long to be one", async () => {
    const argv = [
      "train",
      "model",
      "--data",
      "texts.jsonl",
      "--out",
      "none",
      "--learning-rate",
      "1e-3",
      "--adapter",
      "gone",
    ];
    expect(await callWithEngine(folder, argv)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("gone: expected adapter_config.json, there is none"),
    });
    expect((await callWithEngine(folder, [...argv, "--all-weights"])).stderr).toContain("--adapter is for LoRA");
    write(folder, "gone/adapter_config.json", " ".repeat(1024 * 1024 + 1));
    expect((await callWithEngine(folder, argv)).stderr).toContain(
      "gone/adapter_config.json: expected at most 1048576 bytes, got 1048577",
    );
  });

  it("takes settings from a file, and over them from options", async () => {
    const lora = "lora: { rank: 2, alpha: 4 }\n";
    write(folder, "train.yaml", `${lora}training: { learningRate: 0.5, batchSize: 2, threads: 1 }\nepochs: 3\n`);
    const argv = ["train", "model", "--data", "texts.jsonl", "--out", "by-file", "--config", "train.yaml"];
    await dataOf(folder, [...argv, "--learning-rate", "0.02"]);
    expect(read("by-file/adapter_model.safetensors")).toEqual(read("first/adapter_model.safetensors"));
  });

  it("tells all mistakes in the settings at once, with the option or the file's line", async () => {
    write(folder, "wrong.yaml", "lora: { rnk: 3 }\ntraining:\n  learningRate: 5\n  batchSize: 2\n");
    const argv = ["train", "model", "--data", "texts.jsonl", "--out", "none"];
    const wrong = [...argv, "--config", "wrong.yaml", "--epochs", "x", "--micro-batch-size", "3", "--json"];
    const { exitCode, stdout } = await callWithEngine(folder, wrong);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error.details.mistakes).toEqual([
      { path: "lora.rnk", line: 1, message: "unknown key; did you mean rank?" },
      { path: "training.learningRate", line: 3, message: "expected at most 1, got 5" },
      { path: "--epochs", line: null, message: 'expected a number, got "x"' },
      { path: "--micro-batch-size", line: null, message: "expected at most batchSize (2), got 3" },
    ]);
    expect((await callWithEngine(folder, argv)).stderr).toContain("--learning-rate: missing; expected a number");
    expect(readdirSync(folder)).not.toContain("none");
  });

  it.each([
    ["data that are not there", ["--data", "gone.jsonl"], "FILE_MISSING"],
    ["data without a sample", ["--data", "empty.jsonl"], "TOO_FEW_SAMPLES"],
    ["questions", ["--data", "questions.jsonl"], "NOT_TRAINING_DATA"],
    ["a folder that is not there", ["model"], "MODEL_FILE_MISSING"],
    ["held-out data that are not there", ["--held-out", "gone.jsonl"], "FILE_MISSING"],
    ["layers that the model has not", ["--targets", "c_attn"], "lora.targets"],
  ])("refuses %s as bad input", async (_, [option, value], code) => {
    write(folder, "empty.jsonl", "");
    const argv = train("refused");
    if (value === undefined) argv[1] = "no-model";
    else if (argv.includes(option)) argv[argv.indexOf(option) + 1] = value;
    else argv.push(option, value);
    const { exitCode, stderr } = await callWithEngine(folder, argv);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(code)]);
    // so that the same command may be tried again, corrected
    expect(readdirSync(folder)).not.toContain("refused");
  });

  it("leaves an empty folder that was there as it was where it refuses", async () => {
    mkdirSync(join(folder, "prepared"));
    await callWithEngine(folder, train("prepared", "--targets", "c_attn"));
    expect(readdirSync(join(folder, "prepared"))).toEqual([]);
  });

  it("tells programs of its progress on standard error, and of the end in one envelope", async () => {
    const { stdout, stderr } = await callWithEngine(folder, train("events", "--held-out", "held-out.jsonl", "--json"));
    const events = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toContainEqual({
      event: "progress",
      phase: "training",
      done: 9,
      of: 9,
      unit: "steps",
      lossNats: expect.any(Number),
      learningRate: expect.any(Number),
      tokensPerSecond: expect.any(Number),
      memoryBytes: expect.any(Number),
      secondsLeft: expect.anything(),
    });
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });
});
