import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import type { ChatRequest } from "../../../shared/src/contracts/openai/chat.ts";
import { encodeSample } from "../../../shared/src/core/alignment/encode-sample.ts";
import type { ChatMessage } from "../../../shared/src/core/tasks/write-chat.ts";
import { openChatTemplate, readChatRows } from "../../../shared/src/use-cases/chat-rows.ts";
import { readChatPrompt } from "../../../shared/src/use-cases/serving/asked-prompt.ts";
import { material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

interface Case {
  template: string;
  messages: ChatMessage[];
  before?: string;
  whole?: string;
  refusal?: string;
  beforeIds?: number[];
  wholeIds?: number[];
}

/** What scripts/fixtures/chat_templates.py wrote. */
const { templates, cases } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/formats/chat-templates.json"), "utf8"),
) as { templates: Record<string, { template: string; names: Record<string, string> }>; cases: Case[] };

const MARKS = ["<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|eot_id|>"];

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** As a party's tokenizer_config.json has it. */
function open(name: string) {
  const { template, names } = templates[name];
  const config = { chat_template: template, ...names, additional_special_tokens: MARKS };
  const material = { read: async () => bytes(config) };
  return openChatTemplate(
    { material, openTemplate } as unknown as Parameters<typeof openChatTemplate>[0],
    "config",
    "it",
  );
}

const read = async ({ template, messages }: Case) => {
  const [record] = readChatRows(await open(template), bytes({ messages }), {}, "chat.jsonl");
  if (record.kind !== "completion") throw new Error(`expected a completion, got a ${record.kind}`);
  return { ...record, marks: record.marks ?? [] };
};

describe("a chat template", () => {
  it.each(cases.filter(({ refusal }) => refusal === undefined))(
    "of $template writes $messages as transformers does",
    async (one) => {
      const { render } = await open(one.template);
      expect(render(one.messages.slice(0, -1), true)).toBe(one.before);
      expect(render(one.messages, false)).toBe(one.whole);
    },
  );

  it.each(cases.filter(({ refusal }) => refusal === undefined))(
    "of $template has the answer to $messages in one piece",
    async (one) => {
      const { bos_token: bos = "" } = templates[one.template].names;
      const { prompt, completion, marks } = await read(one);
      const opening = one.before!.startsWith(bos) ? bos : "";
      expect(opening + prompt).toBe(one.before);
      expect(one.whole!.startsWith(`${one.before}${completion}`)).toBe(true);
      const after = one.whole!.slice(one.before!.length + completion.length);
      expect(after.trim()).toMatch(/^(<[^>]+>)?$/);
      expect(completion.trim().endsWith(one.messages.at(-1)!.content.trim())).toBe(true);
      expect(marks).toEqual(
        [...new Set([...Object.values(templates[one.template].names), ...MARKS])].filter((mark) =>
          prompt.includes(mark),
        ),
      );
    },
  );

  it.each(cases.filter(({ refusal }) => refusal !== undefined))(
    "of $template refuses what it refuses there",
    async (one) => {
      await expect(read(one)).rejects.toThrow(
        expect.objectContaining({
          code: "TEMPLATE_REFUSED",
          message: "chat.jsonl, line 1: it: config: chat_template: it refuses the row (raise_exception)",
        }),
      );
    },
  );

  const itWithTokenizer = material === null ? it.skip : it;
  itWithTokenizer.each(cases.filter(({ beforeIds }) => beforeIds !== undefined))(
    "is read by its own model in the tokens that transformers gives $messages",
    async (one) => {
      const tokenizer = openMaterialTokenizer("smollm2", { bos_token_id: 1, eos_token_id: 2 });
      const { prompt, completion, marks } = await read(one);
      expect([1, ...tokenizer.encode(prompt, marks).ids]).toEqual(one.beforeIds);
      const sample = {
        id: new Uint8Array(16),
        kind: "completion" as const,
        prompt,
        answer: completion,
        line: 1,
        marks,
      };
      // transformers writes a newline after the last message's end, which is EOS
      expect([...encodeSample(sample, tokenizer, 8192).ids]).toEqual(one.wholeIds!.slice(0, -1));
    },
  );

  itWithTokenizer.each(cases.filter(({ beforeIds }) => beforeIds !== undefined))(
    "of its own model has the endpoint answer the tokens that transformers gives $messages",
    async (one) => {
      const tokenizer = openMaterialTokenizer("smollm2", { bos_token_id: 1, eos_token_id: 2 });
      const template = await open(one.template);
      const messages = one.messages.slice(0, -1) as ChatRequest["messages"];
      const reader = { tokenizer, template, contextTokens: 8192, longestToken: 128 };
      expect([...readChatPrompt(reader, { model: "smollm2", messages }).tokens]).toEqual(one.beforeIds);
    },
  );
});
