import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { Engine } from "../../../shared/src/ports/engine.ts";
import { remove, write } from "../../support/cli.ts";
import { callWithEngine, dataOf, makeModelFolder } from "../../support/tiny-model.ts";

const folder = makeModelFolder();
afterAll(() => remove(folder));

const tokenizer = openTokenizer(
  readFileSync(join(folder, "model/tokenizer.json")),
  readFileSync(join(folder, "model/config.json")),
  "model",
);
const generate = (...more: string[]) => ["generate", "model", "--prompt", "the ship", ...more];

/** The engine, with other tokens generated than the model's; `seen` is told what was asked. */
function saying(text: string, seen: (prompt: Int32Array) => void = () => {}) {
  return (engine: Engine): Engine => ({
    ...engine,
    open: async (options) => ({
      ...(await engine.open(options)),
      async *generate({ prompt }) {
        seen(prompt);
        for (const id of tokenizer.encode(text).ids) yield { id, logProb: -0.5 };
      },
    }),
  });
}

describe("fedmkt generate", () => {
  it("continues a text by the likeliest tokens, and tells programs tokens, log-probabilities and speed", async () => {
    let clock = 0;
    const data = await dataOf(folder, generate("--max-tokens", "6"), { clockMs: () => (clock += 100) });
    expect(data).toMatchObject({
      prompt: "the ship",
      end: expect.stringMatching(/^(length|stop)$/),
      tokensPerSecond: 50,
    });
    expect(data.tokens).toHaveLength(6);
    for (const { logProb } of data.tokens) expect(logProb).toBeLessThan(0);
    expect(data.text).toBe(tokenizer.decode(data.tokens.map(({ id }: { id: number }) => id)));
    expect((await dataOf(folder, generate("--max-tokens", "6"))).tokens).toEqual(data.tokens);
  });

  it("writes the text alone to standard output, and what it took to standard error", async () => {
    const { text } = await dataOf(folder, generate("--max-tokens", "6"));
    const { stdout, stderr } = await callWithEngine(folder, generate("--max-tokens", "6"));
    expect(stdout).toBe(`${text}\n`);
    expect(stderr).toMatch(/^6 tokens.* at most\n$/);
  });

  it("draws by the seed: equal seeds give equal texts, others other ones", async () => {
    const draw = async (seed: string) =>
      (await dataOf(folder, generate("--temperature", "2", "--seed", seed, "--max-tokens", "12"))).tokens;
    expect(await draw("1")).toEqual(await draw("1"));
    expect(await draw("1")).not.toEqual(await draw("2"));
  });

  it("is greedy at any temperature where one token alone may be drawn", async () => {
    const { tokens } = await dataOf(folder, generate("--max-tokens", "5"));
    const drawn = await dataOf(folder, generate("--max-tokens", "5", "--temperature", "3", "--top-k", "1"));
    expect(drawn.tokens).toEqual(tokens);
  });

  it("reads the prompt from the option, a file or standard input, as it stands: BOS, then its tokens", async () => {
    write(folder, "prompt.txt", "the\n");
    const seen: number[][] = [];
    const changed = saying("!", (prompt) => seen.push([...prompt]));
    await dataOf(folder, ["generate", "model", "--prompt", "the\n"], { changed });
    await dataOf(folder, ["generate", "model", "--prompt-file", "prompt.txt"], { changed });
    await dataOf(folder, ["generate", "model"], { changed, input: "the\n" });
    const expected = [tokenizer.vocabulary.roles.eos, ...tokenizer.encode("the\n").ids];
    expect(seen).toEqual([expected, expected, expected]);
  });

  it("answers a user's message, written by a chat template with its special tokens as such", async () => {
    const mark = "<|endoftext|>";
    const template = `{% for m in messages %}${mark}{{ m.role }} {{ m.content }}{% endfor %}{% if add_generation_prompt %}${mark}a{% endif %}`;
    write(folder, "chat/tokenizer_config.json", JSON.stringify({ eos_token: mark, chat_template: template }));
    const seen: number[][] = [];
    const argv = generate("--chat-template", "chat/tokenizer_config.json");
    const { prompt } = await dataOf(folder, argv, { changed: saying("!", (ids) => seen.push([...ids])) });
    expect(prompt).toBe(`${mark}user the ship${mark}a`);
    const { eos } = tokenizer.vocabulary.roles;
    const words = (text: string) => [...tokenizer.encode(text).ids];
    expect(seen).toEqual([[eos, eos, ...words("user the ship"), eos, ...words("a")]]);
    const { exitCode, stderr } = await callWithEngine(folder, [
      ...["generate", "model", "--prompt", `a ${mark}`, "--chat-template", "chat/tokenizer_config.json"],
    ]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining("the prompt: messages[0]: content: expected text without special tokens"),
    });
  });

  it("gives characters out whole, and ends before the stop text", async () => {
    const changed = saying("a fox 🦊 and\n\nmore");
    expect(await dataOf(folder, generate(), { changed })).toMatchObject({ text: "a fox 🦊 and\n\nmore" });
    expect(await dataOf(folder, generate("--stop", "\n\n"), { changed })).toMatchObject({
      text: "a fox 🦊 and",
      end: "stop",
    });
  });

  it("generates no further than the context reaches", async () => {
    const { tokens, end } = await dataOf(folder, generate("--max-tokens", "500"));
    expect(tokens.length).toBeLessThanOrEqual(64);
    if (end === "length") expect(tokens.length).toBeGreaterThan(50);
  });

  it("ends with exit code 1 on Ctrl-C, what was written staying written", async () => {
    const controller = new AbortController();
    const { exitCode, stdout, stderr } = await callWithEngine(folder, generate("--max-tokens", "40"), {
      signal: controller.signal,
      changed: (engine) => ({
        ...engine,
        open: async (options) => {
          const model = await engine.open(options);
          return {
            ...model,
            async *generate(asked) {
              let given = 0;
              for await (const token of model.generate(asked)) {
                yield token;
                if (++given === 3) controller.abort();
              }
            },
          };
        },
      }),
    });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("STOPPED_BY_HAND")]);
    expect(stdout.length).toBeGreaterThan(0);
  });

  it.each([
    [["--prompt-file", "prompt.txt"], "give one of --prompt and --prompt-file"],
    [["--top-p", "0.9"], "give a --temperature above 0"],
    [["--temperature", "-1"], "expected a number from 0 to 100"],
    [["--temperature", "1", "--top-p", "2"], "expected a number from 0.000001 to 1"],
    [["--max-tokens", "1.5"], "expected a whole number"],
    [["--device", "tpu"], "BAD_ARGUMENT"],
    [["--threads", "0"], "expected a whole number from 1 to 256"],
  ])("refuses %j as bad input", async (more, reason) => {
    write(folder, "prompt.txt", "x");
    const { exitCode, stderr } = await callWithEngine(folder, generate(...more).concat([]));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });
});
