import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeSample } from "../../../shared/src/core/alignment/encode-sample.ts";
import { rougeL } from "../../../shared/src/core/evaluation/rouge-l.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { EncodedSample, Engine, Model, OpenModel } from "../../../shared/src/ports/engine.ts";
import { remove, write } from "../../support/cli.ts";
import { engine } from "../../support/shared-engine.ts";
import { callWithEngine, dataOf, makeModelFolder } from "../../support/tiny-model.ts";

const folder = makeModelFolder();
afterAll(() => remove(folder));

const evaluate = (...more: string[]) => ["evaluate", "model", "--output", "results.jsonl", ...more];
const results = () =>
  readFileSync(join(folder, "results.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const linesOf = (name: string) =>
  readFileSync(join(folder, name), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const tokenizer = openTokenizer(
  readFileSync(join(folder, "model/tokenizer.json")),
  readFileSync(join(folder, "model/config.json")),
  "model",
);
const encode = (kind: "text" | "completion", prompt: string, answer: string) =>
  encodeSample({ id: new Uint8Array(16), line: 1, kind, prompt, answer }, tokenizer, 64);

/** Answer tokens' loss, from the logits of every position, in float64. */
async function natsByLogits({ ids, answer }: Pick<EncodedSample, "ids" | "answer">): Promise<number> {
  const model = await engine.open({ folder: join(folder, "model"), lora: null, adapter: null, seed: 0, threads: 1 });
  try {
    const logits = await model.logits(ids);
    const size = model.vocabularySize;
    let nats = 0;
    for (let token = 1; token < ids.length; token++) {
      if (!answer[token]) continue;
      const row = Array.from(logits.subarray((token - 1) * size, token * size));
      const most = Math.max(...row);
      nats += most + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) - row[ids[token]];
    }
    return nats;
  } finally {
    await model.close();
  }
}

describe("fedmkt evaluate", () => {
  it("tells loss per byte and per token and perplexity, and each sample's own, as the logits have them", async () => {
    const data = await dataOf(folder, evaluate("--data", "texts.jsonl"));
    const texts = linesOf("texts.jsonl").map(({ text }) => encode("text", "", text));
    const nats = [];
    for (const text of texts) nats.push(await natsByLogits(text));
    const total = nats.reduce((sum, loss) => sum + loss, 0);
    const bytes = texts.reduce((sum, text) => sum + text.answerBytes, 0);
    const tokens = texts.reduce((sum, text) => sum + text.ids.length - 1, 0);
    expect(data).toMatchObject({ task: "text", samples: 6, bytes, tokens });
    expect(data.bitsPerByte).toBeCloseTo(total / bytes / Math.LN2, 5);
    expect(data.natsPerToken).toBeCloseTo(total / tokens, 5);
    expect(Math.log(data.perplexity)).toBeCloseTo(total / tokens, 5);
    expect(results().map((result) => [result.line, result.nats])).toEqual(
      nats.map((loss, index) => [index + 1, expect.closeTo(loss, 4)]),
    );
  });

  it("scores a completion alone, with its EOS, whatever the batch", async () => {
    const data = await dataOf(folder, evaluate("--data", "answers.jsonl", "--batch-size", "1"));
    const { prompt, completion } = linesOf("answers.jsonl")[2];
    const expected = encode("completion", prompt, completion);
    expect(results()[2]).toMatchObject({
      nats: expect.closeTo(await natsByLogits(expected), 4),
      bytes: completion.length,
      tokens: expected.answer.reduce((sum, flag) => sum + flag, 0),
    });
    const batched = await dataOf(folder, evaluate("--data", "answers.jsonl", "--batch-size", "3"));
    expect(batched.bitsPerByte).toBeCloseTo(data.bitsPerByte, 6);
  });

  it("answers multiple-choice questions by loss, by loss a character and by loss a byte", async () => {
    const data = await dataOf(folder, evaluate("--data", "questions.jsonl", "--task", "multiple-choice"));
    const right = { likeliest: 0, byCharacters: 0 };
    for (const [index, { question, choices, answer }] of linesOf("questions.jsonl").entries()) {
      const nats = [];
      for (const choice of choices) {
        const { ids, answer: mask } = encode("completion", question, ` ${choice}`);
        nats.push(await natsByLogits({ ids: ids.subarray(0, -1), answer: mask.subarray(0, -1) }));
      }
      const least = (values: number[]) => values.indexOf(Math.min(...values));
      const byCharacters = least(nats.map((loss, choice) => loss / choices[choice].length));
      const correct = typeof answer === "string" ? choices.indexOf(answer) : answer;
      expect(results()[index]).toMatchObject({
        line: index + 1,
        correct,
        likeliest: least(nats),
        byCharacters,
        nats: nats.map((loss) => expect.closeTo(loss, 4)),
      });
      if (least(nats) === correct) right.likeliest++;
      if (byCharacters === correct) right.byCharacters++;
    }
    expect(data).toMatchObject({ questions: 2, acc: right.likeliest / 2, acc_norm: right.byCharacters / 2 });
  });

  it("scores generated answers by ROUGE-L and exact match", async () => {
    const { text } = await dataOf(folder, ["generate", "model", "--prompt", "the ship", "--max-tokens", "8"]);
    const records = [
      { prompt: "the ship", completion: `${text} ` },
      { prompt: "the ship", completion: "another answer" },
    ];
    write(folder, "generated.jsonl", records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const task = ["--data", "generated.jsonl", "--task", "generation", "--max-tokens", "8"];
    const data = await dataOf(folder, evaluate(...task));
    const [same, other] = [rougeL(text.trim(), text.trim()), rougeL(text.trim(), "another answer")];
    expect(data).toMatchObject({ samples: 2, exactMatch: 0.5, rougeL: (same + other) / 2 });
    expect(results()).toEqual([
      expect.objectContaining({ line: 1, text: text.trim(), exactMatch: true, rougeL: same }),
      expect.objectContaining({ line: 2, exactMatch: false, rougeL: other }),
    ]);
  });

  it("asks for answers at once, which are those that come one by one", async () => {
    const prompts = Array.from({ length: 20 }, (_, index) => "the ship and the crew".slice(0, 1 + index));
    const lines = prompts.map((prompt) => `${JSON.stringify({ prompt, completion: "x" })}\n`);
    write(folder, "many.jsonl", lines.join(""));
    const task = ["--data", "many.jsonl", "--task", "generation", "--max-tokens", "6"];
    let running = 0;
    let most = 0;
    let last: Promise<unknown> = Promise.resolve();
    const counted = (model: Model, inTurn: boolean): Model => ({
      ...model,
      async *generate(asked) {
        const before = last;
        const ended = Promise.withResolvers<void>();
        last = ended.promise;
        most = Math.max(most, ++running);
        try {
          if (inTurn) await before;
          yield* model.generate(asked);
        } finally {
          running--;
          ended.resolve();
        }
      },
    });
    const changed = (inTurn: boolean) => (engine: Engine) => ({
      ...engine,
      open: async (options: OpenModel) => counted(await engine.open(options), inTurn),
    });
    const alone = [await dataOf(folder, evaluate(...task), { changed: changed(true) }), results()];
    expect(await dataOf(folder, evaluate(...task), { changed: changed(false) })).toEqual(alone[0]);
    expect(results()).toEqual(alone[1]);
    expect(results()).toHaveLength(20);
    expect([most, running]).toEqual([16, 0]);
  });

  it("gives up the other answers where one cannot be given", async () => {
    const prompts = ["the ship", "the ship ".repeat(2000), ...new Array<string>(30).fill("the crew")];
    write(
      folder,
      "too-long.jsonl",
      prompts.map((prompt) => `${JSON.stringify({ prompt, completion: "x" })}\n`).join(""),
    );
    const { exitCode, stderr } = await callWithEngine(
      folder,
      evaluate("--data", "too-long.jsonl", "--task", "generation"),
    );
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("SAMPLE_EXCEEDS_CONTEXT")]);
  });

  it("scores a generated answer by the best of several references", async () => {
    const { text } = await dataOf(folder, ["generate", "model", "--prompt", "the ship", "--max-tokens", "8"]);
    write(
      folder,
      "several.jsonl",
      `${JSON.stringify({ instruction: "the ship", output: ["another answer", `${text}`] })}\n`,
    );
    write(
      folder,
      "sni.json",
      JSON.stringify({ prompt: "{{ instruction }}", completion: "{{ output[0] }}", references: "{{ output }}" }),
    );
    const task = ["--data", "several.jsonl", "--template", "sni.json", "--task", "generation", "--max-tokens", "8"];
    expect(await dataOf(folder, evaluate(...task))).toMatchObject({ samples: 1, exactMatch: 1, rougeL: 1 });
  });

  it("takes adapters that other programs saved in 16 bits", async () => {
    const settings = ["--learning-rate", "0.02", "--epochs", "2", "--rank", "2"];
    await dataOf(folder, ["train", "model", "--data", "texts.jsonl", "--out", "adapter", ...settings]);
    const { tensors } = readSafetensors(readFileSync(join(folder, "adapter/adapter_model.safetensors")), "adapter");
    const halved = [...tensors].map(([name, { shape, data }]) => {
      const bits = new Uint32Array(Float32Array.from(data as Float32Array).buffer);
      return [name, { dtype: "BF16" as const, shape, data: Uint16Array.from(bits, (word) => word >>> 16) }] as const;
    });
    write(folder, "bf16/adapter_config.json", readFileSync(join(folder, "adapter/adapter_config.json")));
    write(folder, "bf16/adapter_model.safetensors", writeSafetensors(Object.fromEntries(halved), { format: "pt" }));
    const score = async (...more: string[]) =>
      (await dataOf(folder, evaluate("--data", "texts.jsonl", ...more))).bitsPerByte as number;
    const without = await score();
    const exact = await score("--adapter", "adapter");
    const rounded = await score("--adapter", "bf16");
    expect(Math.abs(rounded - exact)).toBeLessThan(0.01 * (without - exact));
    expect(rounded).not.toBe(exact);
  });

  it("takes the first samples alone where there is a limit", async () => {
    expect(await dataOf(folder, evaluate("--data", "texts.jsonl", "--limit", "2"))).toMatchObject({ samples: 2 });
    expect(results()).toHaveLength(2);
  });

  it("says its figures to people, one a line", async () => {
    const { stdout } = await callWithEngine(folder, evaluate("--data", "texts.jsonl"));
    expect(stdout).toMatch(/^samples +6\nbytes +\d+\ntokens +\d+\nbitsPerByte +\d+\.\d+\n/);
  });

  it.each([
    [["--data", "questions.jsonl"], "NOT_TRAINING_DATA"],
    [["--data", "texts.jsonl", "--task", "multiple-choice"], "NOT_A_QUESTION"],
    [["--data", "texts.jsonl", "--task", "generation"], "NOT_A_PROMPT"],
    [["--data", "texts.jsonl", "--task", "poetry"], "BAD_ARGUMENT"],
    [["--data", "texts.jsonl", "--max-tokens", "3"], "--max-tokens goes with --task generation"],
    [["--data", "texts.jsonl", "--limit", "0"], "expected a whole number from 1"],
    [["--data", "gone.jsonl"], "FILE_MISSING"],
    [["--data", "model"], "model: expected a file, found a folder"],
    [["--data", "texts.jsonl", "--adapter", "gone"], "FILE_MISSING"],
    [["--data", "texts.jsonl", "--output", "gone/results.jsonl"], "--output: expected a file in a folder"],
    [[], "fedmkt evaluate: expected --data (texts, completions or questions: docs/data.md), got none"],
    [["--dta", "texts.jsonl"], "unknown option --dta; did you mean --data?"],
  ])("refuses %j as bad input", async (more, reason) => {
    const { exitCode, stderr } = await callWithEngine(folder, evaluate(...more));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });

  it("takes a model of a hub for a folder that is not there, and says how it becomes one", async () => {
    const { exitCode, stderr } = await callWithEngine(folder, ["evaluate", "owner/tiny", "--data", "texts.jsonl"]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringMatching(/MODEL_FILE_MISSING\): owner\/tiny: expected a model's folder .*hf download/),
    ]);
  });

  it("tells of a model in an older form what makes the files that are read", async () => {
    write(folder, "older/config.json", "{}");
    for (const name of ["pytorch_model.bin", "vocab.json"]) write(folder, `older/${name}`, "");
    const { exitCode, stderr } = await callWithEngine(folder, ["evaluate", "older", "--data", "texts.jsonl"]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringMatching(
        /MODEL_FILE_MISSING.*tokenizer\.json, model\.safetensors missing.*; vocab\.json and pytorch_model\.bin: .*save_pretrained/,
      ),
    ]);
  });
});

describe("fedmkt evaluate, more of it", () => {
  it("tells which answer tokens are the model's first choice, where asked", async () => {
    const { text } = await dataOf(folder, ["generate", "model", "--prompt", "the ship", "--max-tokens", "8"]);
    write(folder, "own.jsonl", JSON.stringify({ prompt: "the ship", completion: text }));
    const data = await dataOf(folder, evaluate("--data", "own.jsonl", "--token-accuracy"));
    const { ids, answer } = encode("completion", "the ship", text);
    const model = await engine.open({ folder: join(folder, "model"), lora: null, adapter: null, seed: 0, threads: 1 });
    const logits = await model.logits(ids);
    await model.close();
    const size = logits.length / ids.length;
    const right = Array.from(ids.keys()).filter((token) => {
      if (!answer[token]) return false;
      const row = logits.subarray((token - 1) * size, token * size);
      return row.indexOf(Math.max(...row)) === ids[token];
    }).length;
    expect(right).toBeGreaterThan(0);
    expect(data.tokenAccuracy).toBe(right / (data.tokens as number));
    expect(await dataOf(folder, evaluate("--data", "own.jsonl"))).not.toHaveProperty("tokenAccuracy");
    const { exitCode, stderr } = await callWithEngine(
      folder,
      evaluate("--data", "own.jsonl", "--token-accuracy", "--task", "generation"),
    );
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining("--token-accuracy goes with --task text"),
    });
  });

  it("reads raw rows by a template's name", async () => {
    const row = { passage: "the ship", question: "is it a ship", answer: true };
    write(folder, "boolq.jsonl", JSON.stringify(row));
    const questions = await dataOf(
      folder,
      evaluate("--data", "boolq.jsonl", "--template", "boolq", "--task", "multiple-choice"),
    );
    expect(questions).toMatchObject({ questions: 1 });
    expect(results()[0]).toMatchObject({ correct: 1, nats: [expect.any(Number), expect.any(Number)] });
    const texts = await dataOf(folder, evaluate("--data", "boolq.jsonl", "--template", "boolq"));
    expect(texts).toMatchObject({ samples: 1, bytes: " yes".length });
  });

  it("has train and extract read them likewise", async () => {
    const rows = [
      { passage: "the ship", question: "is it a ship", answer: true },
      { passage: "the quay", question: "is it a ship", answer: false },
    ];
    write(folder, "boolqs.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const data = ["--data", "boolqs.jsonl", "--template", "boolq"];
    const settings = ["--learning-rate", "0.02", "--rank", "2", "--held-out", "boolqs.jsonl"];
    await dataOf(folder, ["train", "model", ...data, "--out", "by-template", ...settings]);
    const record = JSON.parse(readFileSync(join(folder, "by-template/training.json"), "utf8"));
    expect(record.sha256.data).toMatch(/^[0-9a-f]{64}$/);
    expect(record.sha256.data).toBe(record.sha256["held-out"]);
    expect(await dataOf(folder, ["extract", "model", ...data, "--out", "shards"])).toMatchObject({ samples: 2 });
  });

  it("reads raw rows by a template of one's own, in a file", async () => {
    write(folder, "rows.jsonl", JSON.stringify({ q: "the ship", a: "the quay" }));
    write(folder, "mine.yaml", 'prompt: "{{ q }}"\ncompletion: " {{ a }}"\n');
    const data = await dataOf(folder, evaluate("--data", "rows.jsonl", "--template", "mine.yaml"));
    expect(data).toMatchObject({ samples: 1, bytes: " the quay".length });
  });

  it("reads messages by a model's chat template, its special tokens as such", async () => {
    const template =
      "{% for m in messages %}<|endoftext|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|endoftext|>{% endif %}";
    write(
      folder,
      "chat/tokenizer_config.json",
      JSON.stringify({ eos_token: "<|endoftext|>", chat_template: template }),
    );
    const messages = [
      { role: "user", content: "the ship" },
      { role: "assistant", content: "the quay" },
    ];
    write(folder, "messages.jsonl", JSON.stringify({ messages }));
    const argv = evaluate("--data", "messages.jsonl", "--chat-template", "chat/tokenizer_config.json");
    const data = await dataOf(folder, argv);
    expect(data).toMatchObject({ samples: 1, bytes: "the quay".length });
    const { ids, answer } = encodeSample(
      {
        ...{
          id: new Uint8Array(16),
          line: 1,
          kind: "completion",
          prompt: "<|endoftext|>the ship<|endoftext|>",
          answer: "the quay",
        },
        marks: ["<|endoftext|>"],
      },
      tokenizer,
      64,
    );
    const { eos } = tokenizer.vocabulary.roles;
    expect([...ids].filter((id) => id === eos)).toHaveLength(4);
    expect(results()[0].nats).toBeCloseTo(await natsByLogits({ ids, answer }), 4);
    await dataOf(folder, [...argv, "--task", "generation", "--max-tokens", "2"]);
    const { exitCode, stderr } = await callWithEngine(folder, [...argv, "--template", "arc"]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining("expected one of --template and --chat-template"),
    });
  });

  it("reads no BOS before a prompt, where asked, and needs a prompt then", async () => {
    await dataOf(folder, evaluate("--data", "answers.jsonl", "--without-bos"));
    const { prompt, completion } = linesOf("answers.jsonl")[2];
    const { ids, answer } = encode("completion", prompt, completion);
    const without = await natsByLogits({ ids: ids.subarray(1), answer: answer.subarray(1) });
    expect(results()[2].nats).toBeCloseTo(without, 4);
    expect(without).not.toBeCloseTo(await natsByLogits({ ids, answer }), 3);
    const refused = async (...more: string[]) => {
      const { exitCode, stderr } = await callWithEngine(folder, evaluate("--without-bos", ...more));
      return { exitCode, stderr };
    };
    expect(await refused("--data", "texts.jsonl")).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining("line or row 1: expected a prompt before the answer, got none"),
    });
    expect(await refused("--data", "answers.jsonl", "--task", "generation")).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining("--without-bos goes with --task text and multiple-choice"),
    });
  });

  it.each([
    ["arcs", "did you mean arc? expected one of rte, wic,"],
    ["wrong.yaml", "line 2, completions: unknown key; did you mean completion?"],
    ["broken.yaml", "broken.yaml: 1 mistake"],
    ["huge.yaml", "huge.yaml: expected at most 1048576 bytes"],
  ])("refuses the template %s", async (template, message) => {
    write(folder, "wrong.yaml", 'prompt: "{{ q }}"\ncompletions: a\n');
    write(folder, "broken.yaml", "prompt: [");
    write(folder, "huge.yaml", "x".repeat(1024 * 1024 + 1));
    const { exitCode, stderr } = await callWithEngine(folder, evaluate("--data", "rows.jsonl", "--template", template));
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
