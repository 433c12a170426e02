import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { readKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { remove, write } from "../../support/cli.ts";
import { callWithEngine, dataOf, makeModelFolder } from "../../support/tiny-model.ts";

const folder = makeModelFolder();
afterAll(() => remove(folder));

const shard = (out: string, number: number) =>
  readKnowledgeShard(readFileSync(join(folder, out, `shard-0000${number}.safetensors`)), "it", {});
const bitsOf = ({ knowledge }: ReturnType<typeof shard>) =>
  knowledge.lossNats.reduce((sum, nats) => sum + nats, 0) /
  knowledge.answerBytes.reduce((sum, bytes) => sum + bytes, 0) /
  Math.LN2;

describe("fedmkt extract", () => {
  it("writes knowledge shards of so many samples, K entries a position, and what they are of", async () => {
    const argv = ["extract", "model", "--data", "texts.jsonl", "--out", "knowledge", "--top-k", "5"];
    const data = await dataOf(folder, [...argv, "--samples-per-shard", "4"]);
    expect(readdirSync(join(folder, "knowledge")).sort()).toEqual([
      "extraction.json",
      "shard-00000.safetensors",
      "shard-00001.safetensors",
    ]);
    expect(data).toMatchObject({ samples: 6, shards: 2, topK: 5, positions: "answer" });
    expect(shard("knowledge", 0).knowledge.lossNats).toHaveLength(4);
    expect(shard("knowledge", 1)).toMatchObject({ header: { run: "extract", shard: 1, topK: 5 } });
    expect(shard("knowledge", 1).knowledge.lossNats).toHaveLength(2);
  });

  it("tells the loss that evaluate tells, of the same samples", async () => {
    const argv = ["--data", "answers.jsonl"];
    const data = await dataOf(folder, ["extract", "model", ...argv, "--out", "answers"]);
    const scored = await dataOf(folder, ["evaluate", "model", ...argv]);
    expect(data.bitsPerByte).toBeCloseTo(scored.bitsPerByte, 9);
    expect(bitsOf(shard("answers", 0))).toBeCloseTo(scored.bitsPerByte, 9);
  });

  it("covers the prompt's positions too where all are asked for, with the answers' loss", async () => {
    await dataOf(folder, ["extract", "model", "--data", "answers.jsonl", "--out", "all", "--positions", "all"]);
    const { knowledge } = shard("all", 0);
    const answers = shard("answers", 0).knowledge;
    expect(knowledge.tokenIds).toEqual(answers.tokenIds);
    expect(knowledge.positions.length).toBe(knowledge.tokenIds.length - knowledge.lossNats.length);
    expect(answers.positions.length).toBeLessThan(knowledge.positions.length);
    // where both are, they say the same
    const [last, lastOfAnswers] = [knowledge.positionOffsets[1] - 1, answers.positionOffsets[1] - 1];
    const idsAt = ({ topIds, entryOffsets }: typeof knowledge, at: number) =>
      topIds.slice(entryOffsets[at], entryOffsets[at + 1]);
    expect(idsAt(knowledge, last)).toEqual(idsAt(answers, lastOfAnswers));
    expect(knowledge.answerPositions).toEqual(answers.answerPositions);
    knowledge.lossNats.forEach((nats, sample) => {
      expect(nats).toBeCloseTo(answers.lossNats[sample], 4);
    });
  });

  it("packs unless told otherwise: the same knowledge, plain, takes more and has its probabilities unrounded", async () => {
    const argv = ["extract", "model", "--data", "answers.jsonl", "--out", "plain", "--encoding", "plain"];
    const data = await dataOf(folder, argv);
    expect(data).toMatchObject({ encoding: "plain", topP: 1 });
    const [plain, packed] = [shard("plain", 0), shard("answers", 0)];
    expect([plain.encoding, packed.encoding]).toEqual(["plain", "packed"]);
    expect(packed.knowledge.lossNats).toEqual(plain.knowledge.lossNats);
    expect(packed.knowledge.tokenIds).toEqual(plain.knowledge.tokenIds);
    expect(packed.knowledge.topLogProbs).not.toEqual(plain.knowledge.topLogProbs);
    const bytes = (out: string) => readFileSync(join(folder, out, "shard-00000.safetensors")).length;
    expect(bytes("answers")).toBeLessThan(bytes("plain") / 2);
  });

  it("keeps no more entries than it takes to reach a mass", async () => {
    const argv = ["extract", "model", "--data", "answers.jsonl", "--out", "cut", "--top-p", "0.1"];
    expect(await dataOf(folder, argv)).toMatchObject({ encoding: "packed", topP: 0.1 });
    const [cut, whole] = [shard("cut", 0), shard("answers", 0)];
    expect(cut.header.topP).toBe(0.1);
    expect(cut.knowledge.topIds.length).toBeLessThan(whole.knowledge.topIds.length);
    expect(Math.max(...cut.knowledge.tailMass)).toBeLessThan(0.91);
  });

  it("keeps fewer entries where the model is sure", async () => {
    const argv = ["extract", "model", "--data", "answers.jsonl", "--out", "sure", "--top-perplexity", "0.2"];
    expect(await dataOf(folder, argv)).toMatchObject({ topP: 1, topPerplexity: 0.2 });
    const [cut, whole] = [shard("sure", 0), shard("answers", 0)];
    expect(cut.header.topPerplexity).toBe(0.2);
    expect(cut.knowledge.topIds.length).toBeLessThan(whole.knowledge.topIds.length);
    expect(JSON.parse(readFileSync(join(folder, "sure/extraction.json"), "utf8"))).toMatchObject({
      topPerplexity: 0.2,
    });
  });

  it("makes the same bytes again", async () => {
    await dataOf(folder, ["extract", "model", "--data", "answers.jsonl", "--out", "again"]);
    for (const name of readdirSync(join(folder, "again")))
      expect(readFileSync(join(folder, "again", name))).toEqual(readFileSync(join(folder, "answers", name)));
  });

  it("leaves no half of an extraction behind, whether a sample does not fit or Ctrl-C comes", async () => {
    const long = Array.from({ length: 5 }, (_, line) => ({
      prompt: "a",
      completion: "b".repeat(line === 4 ? 200 : 3),
    }));
    write(folder, "long.jsonl", long.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const argv = ["extract", "model", "--out", "half", "--samples-per-shard", "1", "--data"];
    const { exitCode, stderr } = await callWithEngine(folder, [...argv, "long.jsonl"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("SAMPLE_EXCEEDS_CONTEXT")]);
    expect(readdirSync(join(folder, "half"))).toEqual([]);
    const controller = new AbortController();
    const stopped = await callWithEngine(folder, [...argv, "texts.jsonl"], {
      signal: controller.signal,
      changed: (engine) => ({
        ...engine,
        open: async (options) => {
          const model = await engine.open(options);
          return {
            ...model,
            extract: (samples, ...more) => {
              if (existsSync(join(folder, "half/shard-00001.safetensors"))) controller.abort();
              return model.extract(samples, ...more);
            },
          };
        },
      }),
    });
    expect([stopped.exitCode, stopped.stderr]).toEqual([1, expect.stringContaining("STOPPED_BY_HAND")]);
    expect(readdirSync(join(folder, "half"))).toEqual([]);
  });

  it.each([
    [["--top-k", "0"], "expected a whole number from 1 to 4096"],
    [["--top-p", "0"], "expected a number from 0.000001 to 1"],
    [["--top-p", "1.5"], "fedmkt extract: --top-p"],
    [["--top-perplexity", "0"], "expected a number from 0.000001 to 4096"],
    [["--encoding", "zipped"], "BAD_ARGUMENT"],
    [["--positions", "some"], "BAD_ARGUMENT"],
    [["--samples-per-shard", "many"], "expected a whole number"],
    [["--out", "model"], "FOLDER_IN_USE"],
    [["--out", "texts.jsonl"], "is a file"],
  ])("refuses %j as bad input", async (more, reason) => {
    const argv = ["extract", "model", "--data", "texts.jsonl", "--out", "none"].filter(
      (word) => more[0] !== "--out" || !/out|none/.test(word),
    );
    const { exitCode, stderr } = await callWithEngine(folder, [...argv, ...more]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
    expect(readdirSync(folder)).not.toContain("none");
  });
});
