import { describe, expect, it } from "@jest/globals";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { DataSpec } from "../../../shared/src/contracts/run-spec.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { parseChatTemplateConfig } from "../../../shared/src/formats/chat-template.ts";
import { readSamples, writeSamples } from "../../../shared/src/formats/samples.ts";
import { readHeldOutSet, readSampleSet } from "../../../shared/src/use-cases/prepare-samples.ts";
import { byteLevelTokenizerJson, characterTokenizerJson } from "../../support/tiny-tokenizers.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const TEMPLATE =
  "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
const CONFIG = {
  ...{ bos_token: "<s>", eos_token: { content: "</s>", special: true }, chat_template: TEMPLATE },
  ...{ added_tokens_decoder: { 0: { content: "<|user|>", special: true }, 1: { content: "<tab>", special: false } } },
};
const chat = (...contents: string[]) => ({
  messages: contents.map((content, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content })),
});

/** Reads a data set of one conversation beside a tokenizer_config.json, and files of a test's own. */
function samplesOf(row: object, files: Record<string, unknown> = {}, settings: Partial<DataSpec> = {}) {
  const all: Record<string, unknown> = { "chat.jsonl": row, "model/tokenizer_config.json": CONFIG, ...files };
  const read = async (path: string) => {
    if (!(path in all)) throw new InvalidInputError("FILE_MISSING", path);
    return bytes(typeof all[path] === "string" ? all[path] : JSON.stringify(all[path]));
  };
  const deps = { material: { read }, openTemplate, openTokenizer } as unknown as Parameters<typeof readSampleSet>[0];
  const data = { path: "chat.jsonl", chatTemplate: "model/tokenizer_config.json", ...settings };
  return readSampleSet(deps, data, 1000, "public[0]");
}

describe("rows of messages with a chat template", () => {
  it("are prompts and answers as the template writes them, whatever else the rows hold", async () => {
    const [sample] = await samplesOf({ ...chat("Why?", "So."), prompt_id: 7 });
    expect(sample).toMatchObject({
      ...{ kind: "completion", prompt: "<|user|>Why?</s><|assistant|>", answer: "So.", line: 1 },
      marks: ["</s>", "<|user|>"],
    });
  });

  it("are written by the chat_template.jinja beside the file, where the file has none", async () => {
    const { chat_template: _, ...without } = CONFIG;
    const files = { "model/tokenizer_config.json": without, "model/chat_template.jinja": `A ${TEMPLATE}` };
    expect((await samplesOf(chat("Why?", "So."), files))[0].prompt).toBe("A <s><|user|>Why?</s><|assistant|>");
    await expect(samplesOf(chat("Why?", "So."), { "model/tokenizer_config.json": without })).rejects.toThrow(
      expect.objectContaining({
        code: "FILE_MISSING",
        message: expect.stringMatching(
          /model\/tokenizer_config\.json: has no chat_template; model\/chat_template\.jinja$/,
        ),
      }),
    );
  });

  it("have their messages cleaned, and the template's text left whole", async () => {
    const tokenizer = characterTokenizerJson("Whyso<|>");
    const settings = { collapseWhitespace: true, keepCharactersOf: "tokenizer.json" };
    const files = { "tokenizer.json": tokenizer };
    const [sample] = await samplesOf(chat("Why\n\n soé?", "so."), files, settings);
    expect([sample.prompt, sample.answer]).toEqual(["<|user|>Why so</s><|assistant|>", "so"]);
  });

  it("are the same samples, marks and all, once they were written down", async () => {
    const samples = await samplesOf(chat("Why?", "So."));
    expect(readSamples(writeSamples(samples), "set")).toEqual(samples);
    const line = JSON.parse(new TextDecoder().decode(writeSamples(samples)));
    for (const marks of [3, [""], ["a", 1]])
      expect(() => readSamples(bytes(JSON.stringify({ ...line, marks })), "set")).toThrow(
        "set, line 1: marks: expected a list of texts that are not empty, got ",
      );
  });

  it.each([
    [
      "a special token in a message",
      chat("a <|user|> b", "So."),
      {},
      "CHAT_REFUSED",
      "messages[0]: content: expected text without special tokens of the chat template's model, got one",
    ],
    [
      "no answer",
      { messages: [{ role: "user", content: "Why?" }] },
      {},
      "DATASET_INVALID",
      "messages[0]: expected the last message to be the assistant's and not empty, got the user's",
    ],
    ["no messages", { text: "a" }, {}, "DATASET_INVALID", "messages: expected a list of messages, got nothing"],
    [
      "an answer of which nothing is left",
      chat("Why?", "é"),
      { keepCharactersOf: "tokenizer.json" },
      "CHAT_REFUSED",
      "messages[1]: content: expected text, got none once characters were dropped",
    ],
  ])("are refused for %s, by file and line", async (_, row, settings, code, reason) => {
    const files = { "tokenizer.json": characterTokenizerJson("Whyso") };
    await expect(samplesOf(row, files, settings)).rejects.toThrow(
      expect.objectContaining({ code, message: `public[0]: chat.jsonl, line 1: ${reason}` }),
    );
  });

  it("are refused where the template is no Jinja, or none", async () => {
    const withTemplate = (chat_template: unknown) => ({ "model/tokenizer_config.json": { ...CONFIG, chat_template } });
    await expect(samplesOf(chat("a", "b"), withTemplate("{{"))).rejects.toThrow(
      expect.objectContaining({
        code: "TEMPLATE_INVALID",
        message: expect.stringMatching(/^public\[0\]: model\/tokenizer_config\.json: chat_template: expected Jinja/),
      }),
    );
    await expect(samplesOf(chat("a", "b"), withTemplate(7))).rejects.toThrow(
      expect.objectContaining({
        code: "CHAT_TEMPLATE_INVALID",
        message:
          "public[0]: model/tokenizer_config.json: chat_template: expected text, or a list with a template named default, got a number",
      }),
    );
  });

  it("may be held out, where each counts once", async () => {
    const rows = [chat("Why?", "So."), chat("Why?", "So.")].map((row) => JSON.stringify(row)).join("\n");
    const read = async (path: string) => bytes(path === "chat.jsonl" ? rows : JSON.stringify(CONFIG));
    const deps = { material: { read }, openTemplate } as unknown as Parameters<typeof readSampleSet>[0];
    const data = { path: "chat.jsonl", chatTemplate: "model/tokenizer_config.json" };
    expect(await readHeldOutSet(deps, data, 1000, "evaluation chat")).toHaveLength(1);
  });
});

describe("a tokenizer_config.json", () => {
  const parse = (config: unknown) => parseChatTemplateConfig(bytes(JSON.stringify(config)), "it");

  it("names special tokens in all the ways that it may", () => {
    const config = {
      ...{ bos_token: "<s>", eos_token: { content: "</s>" }, unk_token: null, pad_token: "" },
      additional_special_tokens: ["<a>", { content: "<b>" }, 3],
      extra_special_tokens: { image: "<c>" },
      added_tokens_decoder: { 1: { content: "<s>", special: true }, 2: { content: "d", special: false }, 3: null },
    };
    expect(parse(config)).toEqual({
      template: null,
      names: { bos_token: "<s>", eos_token: "</s>", pad_token: "" },
      special: ["<s>", "</s>", "<a>", "<b>", "<c>"],
    });
  });

  it("may have several templates, of which the default is taken", () => {
    const named = [
      { name: "tool_use", template: "a" },
      { name: "default", template: "b" },
    ];
    expect(parse({ chat_template: named }).template).toBe("b");
    for (const list of [named.slice(0, 1), [{ name: "default" }]])
      expect(() => parse({ chat_template: list })).toThrow(expect.objectContaining({ code: "CHAT_TEMPLATE_INVALID" }));
  });

  it.each([
    ["[]", "it: expected an object, got an empty list"],
    ["{", "it: expected JSON: character 2 does not fit"],
    ["\ufeff{}", "it: expected JSON: character 1 does not fit"],
    ['{"a":1,"a":2}', "it: the key at character 8 occurs twice"],
  ])("is not %s", (text, message) => {
    expect(() => parseChatTemplateConfig(bytes(text), "it")).toThrow(
      expect.objectContaining({ code: "CHAT_TEMPLATE_INVALID", message }),
    );
  });
});

describe("a tokenizer_config.json of other bytes", () => {
  it("is refused", () => {
    expect(() => parseChatTemplateConfig(Uint8Array.of(0x7b, 0xff), "it")).toThrow(
      "it: expected UTF-8, got other bytes",
    );
  });
});

describe("a tokenizer", () => {
  const open = (json: object) => openTokenizer(bytes(JSON.stringify(json)), bytes("{}"), "it");
  const text = "é<|endoftext|>the<s>";

  it("reads marks as the special tokens that it has, and others as text, with their bytes", () => {
    const tokenizer = open(byteLevelTokenizerJson(["th", "the"]));
    const special = tokenizer.vocabulary.strings.indexOf("<|endoftext|>");
    const { ids, ends } = tokenizer.encode(text, ["<|endoftext|>", "<s>"]);
    const words = (part: string) => [...tokenizer.encode(part).ids];
    expect([...ids]).toEqual([...words("é"), special, ...words("the"), ...words("<s>")]);
    expect(ends[words("é").length]).toBe("é<|endoftext|>".length + 1);
    expect(ends.at(-1)).toBe(text.length + 1);
  });

  it("reads none that it is not told of", () => {
    const tokenizer = open(byteLevelTokenizerJson(["th", "the"]));
    const special = tokenizer.vocabulary.strings.indexOf("<|endoftext|>");
    expect([...tokenizer.encode(text).ids]).not.toContain(special);
    expect(tokenizer.encode(text, ["<s>"])).toEqual(tokenizer.encode(text));
  });
});
