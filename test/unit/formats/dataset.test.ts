import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { identifySample } from "../../../shared/src/core/samples/sample.ts";
import { parseDataset } from "../../../shared/src/formats/dataset.ts";
import { readJsonLines, writeJsonLines } from "../../../shared/src/formats/jsonl.ts";
import {
  hashSample,
  readQuestions,
  readSamples,
  writeQuestions,
  writeSamples,
} from "../../../shared/src/formats/samples.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const NAME = "client harbour: data/private.jsonl";
const parse = (...lines: unknown[]) =>
  parseDataset(bytes(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")), NAME);

describe("JSON Lines", () => {
  const read = (content: Uint8Array, limits = {}) => Array.from(readJsonLines(content, NAME, limits));

  it("hold a value a line, with or without a newline at the end, with or without carriage returns", () => {
    const expected = [
      { line: 1, value: 1 },
      { line: 2, value: [2] },
    ];
    for (const text of ["1\n[2]", "1\n[2]\n", "1\r\n[2]\r\n"]) expect(read(bytes(text))).toEqual(expected);
    expect(read(bytes(""))).toEqual([]);
    expect(read(writeJsonLines([1, [2]]))).toEqual(expected);
  });

  it.each([
    ["an empty line", bytes("{}\n\n{}"), {}, "JSONL_EMPTY_LINE", "line 2: expected a JSON object, got an empty line"],
    ["an empty line at the end", bytes("{}\n\n"), {}, "JSONL_EMPTY_LINE", "line 2: "],
    ["a line of spaces", bytes("  \r\n{}"), {}, "JSONL_EMPTY_LINE", "line 1: "],
    [
      "bytes that are not UTF-8",
      Uint8Array.of(0x31, 0x0a, 0xff, 0x0a),
      {},
      "JSONL_INVALID_UTF8",
      "line 2: expected UTF-8",
    ],
    [
      "text that is not JSON",
      bytes('{"text":"a"}\n{"text":'),
      {},
      "JSONL_INVALID_JSON",
      "line 2: expected JSON: column 9 does not fit",
    ],
    ["two values on a line", bytes("{} {}"), {}, "JSONL_INVALID_JSON", "line 1: expected JSON: column 4 does not fit"],
    ["a byte order mark", bytes("\ufeff{}"), {}, "JSONL_INVALID_JSON", "line 1: expected JSON, got a byte order mark"],
    ["a key twice", bytes('{"a":1,"a":2}'), {}, "JSONL_INVALID_JSON", "line 1: the key at column 8 occurs twice"],
    ["deep nesting", bytes("[".repeat(100_000)), {}, "JSONL_INVALID_JSON", "line 1: nested deeper than 32"],
    [
      "a long line",
      bytes("1\n12345"),
      { maxLineBytes: 4 },
      "JSONL_TOO_LONG",
      "line 2: expected a line of at most 4 bytes, got 5",
    ],
    ["many lines", bytes("1\n2\n3\n"), { maxLines: 2 }, "JSONL_TOO_LONG", "line 3: expected at most 2 lines"],
  ])("refuse %s, naming file and line", (_, content, limits, code, message) => {
    const attempt = () => read(content, limits);
    expect(attempt).toThrow(InvalidInputError);
    expect(attempt).toThrow(`${NAME}, ${message}`);
    expect(attempt).toThrow(expect.objectContaining({ code }) as unknown as Error);
  });
});

describe("a data set", () => {
  it("may be texts", () => {
    expect(parse({ text: "a" }, { text: "b", id: 7, source: "s", meta: {} })).toEqual([
      { kind: "text", line: 1, text: "a" },
      { kind: "text", line: 2, text: "b" },
    ]);
  });

  it("may be prompts with completions, taken as they stand", () => {
    expect(parse({ prompt: "a ", completion: " b" })).toEqual([
      { kind: "completion", line: 1, prompt: "a ", completion: " b" },
    ]);
  });

  it("may be instructions, with or without an input", () => {
    expect(
      parse(
        { instruction: "Add.", input: "1 2", output: "3" },
        { instruction: "Sing.", output: "la" },
        { instruction: "Go.", input: "", output: "on" },
      ),
    ).toEqual([
      { kind: "completion", line: 1, prompt: "Add.\n1 2\n", completion: "3" },
      { kind: "completion", line: 2, prompt: "Sing.\n", completion: "la" },
      { kind: "completion", line: 3, prompt: "Go.\n", completion: "on" },
    ]);
  });

  it("may be conversations, whose last message is learned", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi" },
    ];
    expect(parse({ messages })).toEqual([
      { kind: "completion", line: 1, prompt: "system: Be brief.\nuser: Hello\n", completion: "Hi" },
    ]);
  });

  it("may be multiple choice, answered by index or by text", () => {
    const record = { kind: "choice", prompt: "?", choices: ["a", "b"], answer: 1 };
    expect(
      parse({ question: "?", choices: ["a", "b"], answer: 1 }, { question: "?", choices: ["a", "b"], answer: "b" }),
    ).toEqual([
      { ...record, line: 1 },
      { ...record, line: 2 },
    ]);
    expect(parse({ prompt: "?", choices: ["a", "b"], answer: 1 })).toEqual([{ ...record, line: 1 }]);
  });

  it("is one plain text where its name does not end in .jsonl", () => {
    expect(parseDataset(bytes('{"text":"a"}\n\nb'), "tale.txt")).toEqual([
      { kind: "text", line: 1, text: '{"text":"a"}\n\nb' },
    ]);
    expect(() => parseDataset(Uint8Array.of(0x61, 0x0a, 0x61, 0x0a, 0xc3), "tale.txt")).toThrow(
      "tale.txt, line 3: expected UTF-8 text, got other bytes",
    );
  });

  it("with an empty line is refused by file and line", () => {
    expect(() => parse({ text: "a" }, "", { text: "b" })).toThrow(
      new InvalidInputError("JSONL_EMPTY_LINE", `${NAME}, line 2: expected a JSON object, got an empty line`),
    );
  });

  it.each<[string, unknown[], string]>([
    [
      "two schemas",
      [{ text: "a" }, { prompt: "a", completion: "b" }],
      'line 2: expected {"text"} as in line 1, got {"prompt","completion"}',
    ],
    ["a misspelt key", [{ promt: "a", completion: "b" }], 'line 1: unknown key "promt": did you mean "prompt"?'],
    ["a raw row", [{ premise: "a", label: 1 }], "are ignored; rows of other forms need a template"],
    ["a key in another case", [{ Text: "a" }], 'line 1: unknown key "Text": did you mean "text"?'],
    [
      "a strange key",
      [{ text: "a", zzzzzzz: 1 }],
      'line 1: 1 unknown key; expected one of {"text"}, {"prompt","completion"}, ',
    ],
    ["the key __proto__", ['{"text":"a","__proto__":{}}'], "line 1: 1 unknown key"],
    ["keys of no schema", [{ prompt: "a" }], 'line 1: expected one of {"text"}, {"prompt","completion"}, '],
    ["keys of two schemas", [{ text: "a", completion: "b" }], "got the keys text, completion"],
    ["a list", [[1]], "line 1: expected an object, got a list of 1"],
    ["a number", [{ text: 5 }], "line 1: text: expected text, got a number"],
    ["half a character", ['{"text":"\\ud800"}'], "line 1: text: expected well-formed Unicode"],
    ["an empty completion", [{ prompt: "a", completion: "" }], "line 1: completion: expected text that is not empty"],
    ["no messages", [{ messages: [] }], "line 1: messages: expected a list of messages, got an empty list"],
    [
      "a role of its own",
      [{ messages: [{ role: "bot", content: "a" }] }],
      "line 1: messages[0]: role: expected one of system, user, assistant, tool, got text of 3 characters",
    ],
    [
      "a message with more",
      [{ messages: [{ role: "user", contents: "a" }] }],
      'line 1: messages[0]: unknown key "contents": did you mean "content"?',
    ],
    [
      "a last word of the user",
      [{ messages: [{ role: "user", content: "a" }] }],
      "line 1: messages[0]: expected the last message to be the assistant's and not empty, got the user's",
    ],
    ["one choice", [{ question: "?", choices: ["a"], answer: 0 }], "line 1: choices: expected at least two"],
    [
      "equal choices",
      [{ question: "?", choices: ["a", "a"], answer: 0 }],
      "line 1: choices[1]: expected another text than choices[0]",
    ],
    [
      "an answer outside the choices",
      [{ question: "?", choices: ["a", "b"], answer: 2 }],
      "line 1: answer: expected an index from 0 to 1",
    ],
    ["an answer that is no choice", [{ question: "?", choices: ["a", "b"], answer: "c" }], "got text of 1 character"],
  ])("with %s is refused by line", (_, lines, message) => {
    expect(() => parse(...lines)).toThrow(InvalidInputError);
    expect(() => parse(...lines)).toThrow(message);
  });
});

describe("canonical samples", () => {
  const [record] = parse({ prompt: "Größe?", completion: "1 m" });
  const line = '{"id":"4f3d7f3a","kind":"completion","line":1,"prompt":"a","answer":"b"}';

  it("refuse an id that is not the text's, another order of keys, and a sample twice", () => {
    expect(record.kind).toBe("completion");
    expect(() => readSamples(bytes(line), "public.jsonl")).toThrow(
      /^public\.jsonl, line 1: id: expected that of its prompt and answer, got text of 8 characters$/,
    );
    expect(() => readSamples(bytes('{"kind":"text","id":"4f"}'), "public.jsonl")).toThrow(
      "public.jsonl, line 1: expected an object of id, kind, line, prompt, answer",
    );
  });

  it("refuse values of a wrong kind, naming the line", () => {
    for (const [change, message] of [
      [{ kind: "choice" }, "kind: expected"],
      [{ prompt: 1 }, "prompt: expected text"],
      [{ answer: "" }, "answer: expected text"],
      [{ line: 0 }, "line: expected a whole number"],
      [{ kind: "text" }, "prompt: expected no text"],
    ] as const)
      expect(() => readSamples(bytes(JSON.stringify({ ...JSON.parse(line), ...change })), "set")).toThrow(
        `set, line 1: ${message}`,
      );
  });

  it("refuse marks and references of a wrong kind, or in another order", () => {
    const sample = { prompt: "a", answer: "b", kind: "completion", line: 1 } as const;
    const id = identifySample("completion", "a", "b", hashSample);
    const written = JSON.parse(new TextDecoder().decode(writeSamples([{ ...sample, id }])));
    for (const [more, message] of [
      [{ marks: ["<s>", ""] }, "marks: expected a list of texts that are not empty, got a list of 2"],
      [{ marks: "<s>" }, "marks: expected a list of texts"],
      [{ marks: ["<s>"], references: [1] }, "references: expected a list of texts that are not empty, got a list of 1"],
      [
        { references: [], marks: [] },
        "expected an object of id, kind, line, prompt, answer, marks, references, in this",
      ],
    ] as const)
      expect(() => readSamples(bytes(JSON.stringify({ ...written, ...more })), "set")).toThrow(
        `set, line 1: ${message}`,
      );
  });

  it("of a question come back as they were written", () => {
    const questions = [{ prompt: "?", answers: [" a", " b"], correct: 1, line: 4 }];
    expect(readQuestions(writeQuestions(questions), "set")).toEqual(questions);
    expect(() => readQuestions(writeQuestions([{ ...questions[0], correct: 2 }]), "set")).toThrow(
      "set, line 1: correct: expected a whole number from 0 to 1, got a number",
    );
    expect(writeSamples([])).toHaveLength(0);
  });
});
