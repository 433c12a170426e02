import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { callCli, remove, write } from "../../support/cli.ts";
import { byteLevelTokenizerJson, sentencePieceTokenizerJson } from "../../support/tiny-tokenizers.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-align-"));
afterAll(() => remove(folder));

const pieces = ["w", "we", "u", "ut", "uti", "util", "i", "iz", "ize", "t", "th", "the"];
write(
  folder,
  "llama.json",
  JSON.stringify(sentencePieceTokenizerJson([...pieces.map((piece) => `▁${piece}`), ...pieces])),
);
const utilize = ["u", "ut", "uti", "util", "utili", "utiliz", "utilize"];
write(
  folder,
  "gpt.json",
  JSON.stringify(byteLevelTokenizerJson(["we", "Ġw", ...[...utilize, "t", "th", "the"].map((piece) => `Ġ${piece}`)])),
);
write(folder, "texts.jsonl", '{"text":"we utilize the"}\n{"text":"we"}\n');

const argv = (out: string, ...more: string[]) => [
  "align",
  ...["--source", "gpt.json", "--target", "llama.json", "--out", out],
  ...(more.includes("--input") ? more : ["--input", "texts.jsonl", ...more]),
];
const linesOf = (out: string) =>
  readFileSync(join(folder, out), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const tokens = {
  sourceTokens: ["we", "Ġutilize", "Ġthe"],
  targetTokens: ["▁we", "▁util", "ize", "▁the"],
};

describe("fedmkt align", () => {
  it("writes for each text both sides' tokens, and to each target token its source tokens: those that end at its byte", async () => {
    const { exitCode, stdout } = await callCli(folder, argv("bytes.jsonl"));
    expect(exitCode).toBe(0);
    expect(stdout).toBe("bytes.jsonl: 2 texts, 5 target tokens, of them 80.0 % aligned\n");
    expect(linesOf("bytes.jsonl")).toEqual([
      { ...tokens, sourcesOfTarget: [[0], [], [1], [2]] },
      { sourceTokens: ["we"], targetTokens: ["▁we"], sourcesOfTarget: [[0]] },
    ]);
  });

  it("aligns by dtw and by greedy-dp as well", async () => {
    await callCli(folder, argv("dtw.jsonl", "--strategy", "dtw"));
    expect(linesOf("dtw.jsonl")[0]).toEqual({ ...tokens, sourcesOfTarget: [[0], [1], [2], [2]] });
    await callCli(folder, argv("greedy.jsonl", "--strategy", "greedy-dp"));
    expect(linesOf("greedy.jsonl")[0]).toEqual({ ...tokens, sourcesOfTarget: [[0], [1], [1], [2]] });
  });

  it("counts lines, tokens and the aligned share for programs, which read progress beside", async () => {
    const { stdout, stderr } = await callCli(folder, argv("counted.jsonl", "--json"));
    expect(JSON.parse(stdout).data).toEqual({
      file: join(folder, "counted.jsonl"),
      strategy: "byte-offset",
      lines: 2,
      sourceTokens: 4,
      targetTokens: 5,
      alignedTargetTokens: 4,
      alignedShare: 0.8,
    });
    expect(JSON.parse(stderr.trimEnd().split("\n").at(-1)!)).toMatchObject({
      event: "progress",
      phase: "aligning",
      done: 1,
      of: 1,
      unit: "KiB",
    });
  });

  it("takes a prompt and its completion as the text that they are together", async () => {
    write(folder, "pairs.jsonl", '{"prompt":"we utilize","completion":" the"}\n');
    await callCli(folder, argv("pairs-out.jsonl", "--input", "pairs.jsonl"));
    expect(linesOf("pairs-out.jsonl")[0]).toEqual({ ...tokens, sourcesOfTarget: [[0], [], [1], [2]] });
  });

  it("writes a text without tokens as such", async () => {
    write(folder, "empty.jsonl", '{"text":""}\n');
    for (const strategy of ["byte-offset", "dtw", "greedy-dp"]) {
      await callCli(folder, argv("empty-out.jsonl", "--input", "empty.jsonl", "--strategy", strategy));
      expect(linesOf("empty-out.jsonl")).toEqual([{ sourceTokens: [], targetTokens: [], sourcesOfTarget: [] }]);
    }
  });

  it("reads a file of any length, a piece at a time", async () => {
    const lines = 60_000;
    write(folder, "long.jsonl", `${'{"text":"we utilize the"}\n'.repeat(lines - 1)}{"text":"we"}`);
    const { stderr, stdout } = await callCli(folder, argv("long-out.jsonl", "--input", "long.jsonl", "--json"), {
      clockMs: (() => {
        let now = 0;
        return () => (now += 1);
      })(),
    });
    expect(JSON.parse(stdout).data).toMatchObject({ lines, targetTokens: 4 * (lines - 1) + 1 });
    const written = linesOf("long-out.jsonl");
    expect(written).toHaveLength(lines);
    expect(written.at(-1).sourceTokens).toEqual(["we"]);
    const done = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect([done[0], done.at(-1)]).toEqual([0, 1524]);
    // also within the piece that is read at once
    expect(done.filter((kib) => kib > 0 && kib < 1024).length).toBeGreaterThan(100);
  });

  it.each([
    ["a name whose half-written file is the input", "precious.jsonl", "precious.jsonl.part"],
    ["a folder", ".", "precious.jsonl"],
  ])("refuses %s as --out before anything is written", async (_, out, input) => {
    write(folder, input, '{"text":"we"}\n');
    const { exitCode, stdout } = await callCli(folder, argv(out, "--input", input, "--json"));
    expect([exitCode, JSON.parse(stdout).error.code]).toEqual([2, "BAD_ARGUMENT"]);
    expect(readFileSync(join(folder, input), "utf8")).toBe('{"text":"we"}\n');
  });

  it.each([
    ["a line that is no JSON", '{"text":"we"}\n{"text":\n', "JSONL_INVALID_JSON", /broken.jsonl, line 2/],
    ["a line of another kind", '{"text":"we"}\n{"prompt":"we","completion":"w"}\n', "DATASET_INVALID", /line 2/],
    ["a question with choices", '{"prompt":"a","choices":["b","c"],"answer":0}\n', "DATASET_INVALID", /line 1/],
    ["an empty line", '{"text":"we"}\n\n{"text":"we"}\n', "JSONL_EMPTY_LINE", /line 2/],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0x0a]), "JSONL_INVALID_UTF8", /line 1/],
  ])("names %s by its number, and leaves nothing half-written", async (_, content, code, where) => {
    write(folder, "broken.jsonl", content);
    const { exitCode, stdout } = await callCli(folder, argv("broken-out.jsonl", "--input", "broken.jsonl", "--json"));
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ code, message: expect.stringMatching(where) });
    expect(existsSync(join(folder, "broken-out.jsonl"))).toBe(false);
    expect(existsSync(join(folder, "broken-out.jsonl.part"))).toBe(false);
  });

  it("names a text that a tokenizer cannot write by its line", async () => {
    const whole = byteLevelTokenizerJson([]) as { model: { vocab: Record<string, number> } };
    const { æ: _, ...vocab } = whole.model.vocab;
    write(folder, "letters.json", JSON.stringify({ ...whole, model: { ...whole.model, vocab } }));
    write(folder, "foreign.jsonl", '{"text":"we"}\n{"text":"日"}\n');
    const words = ["--source", "gpt.json", "--target", "letters.json", "--input", "foreign.jsonl", "--out", "foreign"];
    const { stdout } = await callCli(folder, ["align", ...words, "--json"]);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: "UNREPRESENTABLE_TEXT",
      message: expect.stringMatching(/^foreign.jsonl, line 2: letters.json: /),
    });
    expect(existsSync(join(folder, "foreign"))).toBe(false);
  });

  it("names a broken line by its number in the file, however far down it is", async () => {
    write(folder, "far.jsonl", `${'{"text":"we utilize the"}\n'.repeat(40_999)}{"text":1}`);
    const { stdout } = await callCli(folder, argv("far-out.jsonl", "--input", "far.jsonl", "--json"));
    expect(JSON.parse(stdout).error).toMatchObject({
      code: "DATASET_INVALID",
      message: expect.stringMatching(/^far.jsonl, line 41000: /),
    });
  });

  it("refuses a line longer than its memory allows, without reading on", async () => {
    write(folder, "endless.jsonl", Buffer.alloc(66 * 1024 * 1024, "a"));
    const { stdout } = await callCli(folder, argv("endless-out.jsonl", "--input", "endless.jsonl", "--json"));
    expect(JSON.parse(stdout).error).toMatchObject({
      code: "JSONL_TOO_LONG",
      message: expect.stringMatching(/^endless.jsonl, line 1: .*67108864 bytes/),
    });
  });

  it("leaves the file that was there where it fails", async () => {
    write(folder, "kept.jsonl", "as it was");
    write(folder, "broken.jsonl", "{");
    await callCli(folder, argv("kept.jsonl", "--input", "broken.jsonl"));
    expect(readFileSync(join(folder, "kept.jsonl"), "utf8")).toBe("as it was");
  });

  it("stops between two texts, however much is still to be read of a piece", async () => {
    write(folder, "many.jsonl", '{"text":"we utilize the"}\n'.repeat(30_000));
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    const { stdout, stderr } = await callCli(folder, argv("many-out.jsonl", "--input", "many.jsonl", "--json"), {
      signal: stop.signal,
    });
    expect(JSON.parse(stdout).error.code).toBe("STOPPED_BY_HAND");
    expect(JSON.parse(stderr.trimEnd().split("\n").at(-1)!).done).toBeLessThan(100);
    expect(existsSync(join(folder, "many-out.jsonl"))).toBe(false);
  });

  it("takes a model's folder for its tokenizer.json, and says nothing of shares where there is no token", async () => {
    write(folder, "model/tokenizer.json", readFileSync(join(folder, "gpt.json")));
    write(folder, "nothing.jsonl", "");
    const words = ["--source", "model", "--target", "llama.json", "--input", "nothing.jsonl", "--out", "nothing-out"];
    expect(await callCli(folder, ["align", ...words])).toMatchObject({
      exitCode: 0,
      stdout: "nothing-out: 0 texts, 0 target tokens\n",
    });
  });

  it("stops by hand, and writes nothing", async () => {
    const { exitCode, stdout } = await callCli(folder, argv("stopped.jsonl", "--json"), {
      signal: AbortSignal.abort(),
    });
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout).error.code).toBe("STOPPED_BY_HAND");
    expect(existsSync(join(folder, "stopped.jsonl"))).toBe(false);
    expect(existsSync(join(folder, "stopped.jsonl.part"))).toBe(false);
  });

  it("refuses a text too long for dtw, by its line, and aligns it by byte-offset", async () => {
    write(folder, "giant.jsonl", `{"text":"${" w".repeat(6000)}"}\n`);
    const refused = await callCli(
      folder,
      argv("giant-out.jsonl", "--input", "giant.jsonl", "--strategy", "dtw", "--json"),
    );
    expect(JSON.parse(refused.stdout).error).toMatchObject({
      code: "SEQUENCES_TOO_LONG",
      message: expect.stringMatching(/giant.jsonl, line 1: dtw: .*33554432 pairs/),
    });
    const { exitCode } = await callCli(folder, argv("giant-out.jsonl", "--input", "giant.jsonl"));
    expect(exitCode).toBe(0);
  });

  it("refuses an input that is not there, one that is the output, and a tokenizer that is not there", async () => {
    const codeOf = async (...words: string[]) =>
      JSON.parse((await callCli(folder, ["align", ...words, "--json"])).stdout).error.code;
    const tokenizers = ["--source", "gpt.json", "--target", "llama.json"];
    expect(await codeOf(...tokenizers, "--input", "none.jsonl", "--out", "a")).toBe("FILE_MISSING");
    expect(await codeOf(...tokenizers, "--input", ".", "--out", "a")).toBe("FILE_MISSING");
    expect(await codeOf(...tokenizers, "--input", "texts.jsonl", "--out", "./texts.jsonl")).toBe("BAD_ARGUMENT");
    expect(
      await codeOf("--source", "none.json", "--target", "llama.json", "--input", "texts.jsonl", "--out", "a"),
    ).toBe("FILE_MISSING");
  });
});
