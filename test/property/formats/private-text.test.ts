import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import type { ChatTemplate } from "../../../shared/src/core/tasks/write-chat.ts";
import { parseDataset } from "../../../shared/src/formats/dataset.ts";
import { findJsonMistake } from "../../../shared/src/formats/json-mistake.ts";
import { readJsonLines } from "../../../shared/src/formats/jsonl.ts";
import { readQuestions, readSamples } from "../../../shared/src/formats/samples.ts";
import { readChatRows } from "../../../shared/src/use-cases/chat-rows.ts";
import { readTemplatedRows } from "../../../shared/src/use-cases/templated-rows.ts";
import { byteLevelTokenizerJson, characterTokenizerJson, openJson } from "../../support/tiny-tokenizers.ts";

const SECRET = "Ålice0wes7Marks9";
/** Looks like a name of a field, so that only its distance from the known ones tells that it is none. */
const SECRET_KEY = "Ramsey_Walid7";
const LEAK_CHARACTERS = 6;

/** What a party's file may hold, with the secret in keys and values of every kind. */
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom<unknown>(SECRET, `${SECRET}\ud800`, "", "assistant", "user", "a", 7, -1, null, true),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom("role", "content", "text", "contents", SECRET, SECRET_KEY, `text${SECRET}`, "__proto__"),
      tie("value"),
    ),
  ),
})).value;

const record = fc.oneof(
  value,
  fc.dictionary(
    fc.constantFrom(
      "text",
      "prompt",
      "completion",
      "messages",
      "question",
      "choices",
      "answer",
      "id",
      "txet",
      SECRET,
      SECRET_KEY,
    ),
    value,
    { maxKeys: 4 },
  ),
  fc.record({ prompt: value, choices: fc.array(value, { maxLength: 3 }), answer: value }),
  fc.record({ messages: fc.array(fc.record({ role: value, content: value }), { maxLength: 3 }) }),
  fc.record({ id: value, kind: fc.constantFrom("text", SECRET), line: value, prompt: value, answer: value }),
  fc.record({ line: fc.constantFrom<unknown>(1, SECRET), prompt: value, answers: value, correct: value }),
);

/** Its JSON, perhaps with a part lost or put in. */
const line = fc
  .record({ record, at: fc.nat(200), lost: fc.nat(3), put: fc.constantFrom("", "", "", SECRET, '"', "\\", "{", ",") })
  .map(({ record, at, lost, put }) => {
    const json = JSON.stringify(record);
    if (put === "") return json;
    return json.slice(0, at) + put + json.slice(at + lost);
  });
const twice = fc.constant(`{"${SECRET}":"${SECRET}","${SECRET}":1}`);
const file = fc.array(fc.oneof({ weight: 20, arbitrary: line }, twice), { minLength: 1, maxLength: 3 });

function messageOf(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (error) {
    const { message, cause } = error as Error;
    return `${message} ${cause ?? ""}`;
  }
}

function expectNoLeak(message: string): void {
  const parts = [SECRET, SECRET_KEY].flatMap((secret) =>
    Array.from({ length: secret.length - LEAK_CHARACTERS + 1 }, (_, at) => secret.slice(at, at + LEAK_CHARACTERS)),
  );
  if (parts.some((part) => message.includes(part))) throw new Error(`leaks: ${message}`);
}

const OWN_TEMPLATE = {
  prompt: "{{ prompt | upper }}{{ text ~ answer }}",
  choices: "{{ choices }}",
  correct: "{{ answer }}",
};
const CHAT: ChatTemplate = {
  render: (messages, opens) =>
    messages.map(({ role, content }) => `<${role}>${content}`).join("") + (opens ? "<assistant>" : ""),
  bos: "",
  marks: ["<user>", "k"],
};

describe("private text", () => {
  it("stands in no error of a data file", () => {
    const refused = new Set<string>();
    fc.assert(
      fc.property(file, (lines) => {
        const bytes = new TextEncoder().encode(lines.join("\n"));
        for (const read of [
          () => parseDataset(bytes, "it.jsonl"),
          () => Array.from(readJsonLines(bytes, "it")),
          () => readSamples(bytes, "it"),
          () => readQuestions(bytes, "it"),
          () => readTemplatedRows(openTemplate, "gsm8k", bytes, "it.jsonl"),
          () => readTemplatedRows(openTemplate, OWN_TEMPLATE, bytes, "it.jsonl"),
          () => readChatRows(CHAT, bytes, {}, "it.jsonl"),
        ]) {
          const message = messageOf(read);
          if (message === null) continue;
          expectNoLeak(message);
          refused.add(message.replaceAll(/\d+/g, "0"));
        }
      }),
      { numRuns: 3000, seed: 9 },
    );
    expect(refused.size).toBeGreaterThan(40);
  });

  it("stands in no error of a tokenizer", () => {
    const characters = characterTokenizerJson("abkesr 179") as { model: { unk_token: null } };
    characters.model.unk_token = null;
    const normalising = { ...(byteLevelTokenizerJson([]) as object), normalizer: { type: "NFC" } };
    const tokenizers = [openJson(characters), openJson(normalising)];
    const piece = fc.constantFrom(SECRET, SECRET.normalize("NFD"), "ab", "\ud800", "e\u0301");
    let refused = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        for (const tokenizer of tokenizers) {
          const message = messageOf(() => tokenizer.encode(pieces.join("")));
          if (message === null) continue;
          expectNoLeak(message);
          refused++;
        }
      }),
      { numRuns: 300, seed: 10 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe("the place where JSON ends", () => {
  it("is found where JSON.parse fails, and nowhere else", () => {
    const text = fc.oneof(
      line,
      fc.json(),
      fc.string({ unit: fc.constantFrom(...'{}[]":,\\ \t01-.eE+u/truefalsn\u0000') }),
    );
    fc.assert(
      fc.property(text, (json) => {
        const at = findJsonMistake(json);
        expect(at === null).toBe(messageOf(() => JSON.parse(json)) === null);
        if (at !== null) expect(at).toBeLessThanOrEqual(json.length);
      }),
      { numRuns: 3000, seed: 11 },
    );
  });

  it("is where the first part stands that does not fit", () => {
    const cases: [string, number][] = [
      ['{"a":1,}', 7],
      ["[1 2]", 3],
      ['"abc', 4],
      ['"a\\x"', 2],
      ["tru", 0],
      ["{} {}", 3],
      ["", 0],
    ];
    for (const [json, at] of cases) expect(findJsonMistake(json)).toBe(at);
  });

  it("is found in a long text without using up the stack", () => {
    expect(findJsonMistake(`"${"a".repeat(1_000_000)}`)).toBe(1_000_001);
  });
});
