import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { cutIntoSamples } from "../../../shared/src/core/samples/cut-into-samples.ts";
import { cutText } from "../../../shared/src/core/samples/cut-text.ts";
import { prepareQuestions } from "../../../shared/src/core/samples/multiple-choice.ts";
import {
  dropDuplicateSamples,
  type Preparation,
  prepareSamples,
} from "../../../shared/src/core/samples/prepare-samples.ts";
import type { RawRecord } from "../../../shared/src/core/samples/raw-record.ts";
import { formatSampleId } from "../../../shared/src/core/samples/sample.ts";
import { hashSample } from "../../../shared/src/formats/samples.ts";

const text = (content: string, line = 1): RawRecord => ({ kind: "text", line, text: content });
const answers = (records: RawRecord[], options: object) =>
  prepareSamples(records, { sampleBytes: 8, ...options }, hashSample, "file").map(({ answer }) => answer);

describe("cutting a text", () => {
  it.each([
    ["takes as many whole words as fit", "the cat sat on", 8, ["the cat", "sat on"]],
    ["keeps white space inside a piece as it is", "a\n\n b  c", 8, ["a\n\n b  c"]],
    ["drops it at the ends", "  a b \n", 8, ["a b"]],
    ["makes nothing of white space alone", " \n\t ", 8, []],
    ["makes nothing of nothing", "", 8, []],
    ["cuts a word that is too long, and goes on with its rest", "ab abcdefghijk l", 8, ["ab", "abcdefgh", "ijk l"]],
    ["counts bytes, not characters", "éé éé", 8, ["éé", "éé"]],
    ["never cuts inside a surrogate pair", "a😀😀", 8, ["a😀", "😀"]],
    ["fills a piece to the last byte", "abcd efg", 8, ["abcd efg"]],
  ])("%s", (_, whole, sampleBytes, pieces) => {
    expect(cutText(whole, sampleBytes)).toEqual(pieces);
  });

  it.each([
    ["begins a word that is too long at once, where nothing stands before it", "abcdefghij", 8, ["abcdefgh", "ij"]],
    ["leaves nothing over of a word that fills its pieces", "abcdefghijklmnop q", 8, ["abcdefgh", "ijklmnop", "q"]],
    ["counts the bytes of white space", "abc\u2003\u2003de", 8, ["abc", "de"]],
    ["counts what a piece has already", "ab cd ef gh", 8, ["ab cd ef", "gh"]],
    ["takes the last character of the basic plane for one", "\uffffé", 4, ["\uffff", "é"]],
    ["cuts into pieces as short as the longest character", "😀😀é a", 4, ["😀", "😀", "é a"]],
  ])("%s", (_, whole, sampleBytes, pieces) => {
    expect(cutText(whole, sampleBytes)).toEqual(pieces);
  });

  it("needs pieces in which any character fits", () => {
    expect(() => cutText("a", 3)).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "SAMPLE_BYTES",
        message: "expected sampleBytes of at least 4, got 3",
      }),
    );
  });

  it("takes time in proportion to its length, even for one word of a million characters", () => {
    expect(cutText("x".repeat(1_000_000), 64)).toHaveLength(15_625);
  });
});

describe("samples", () => {
  it("have the same id wherever the same text stands", () => {
    const [one] = cutIntoSamples({ kind: "text", line: 1, text: "a b" }, 8, hashSample, "file");
    const [other] = cutIntoSamples({ kind: "text", line: 7, text: " a b " }, 8, hashSample, "file");
    expect(other).toEqual({ ...one, line: 7 });
    // printf 'text 0 a b' | sha256sum
    expect(formatSampleId(one.id)).toBe("1bb7658b41203a25107f7a621ffb99f7");
    expect(one.id).toHaveLength(16);
    expect(one.prompt).toBe("");
    expect(formatSampleId(Uint8Array.of(0, 7, 16, 255))).toBe("000710ff");
  });

  it("tell a prompt from its answer", () => {
    const of = (prompt: string, completion: string) =>
      cutIntoSamples({ kind: "completion", line: 1, prompt, completion }, 8, hashSample, "file")[0];
    expect(of("ab", "c").id).not.toEqual(of("a", "bc").id);
    expect(of("ab", " c")).toMatchObject({ prompt: "ab", answer: " c", kind: "completion" });
  });

  it("of a prompt with a completion are never cut: a long one is refused by file and line", () => {
    const long = { kind: "completion", line: 4, prompt: "12345", completion: "6789" } as const;
    expect(cutIntoSamples({ ...long, completion: "678" }, 8, hashSample, "file")).toHaveLength(1);
    expect(() => cutIntoSamples(long, 8, hashSample, "client harbour: a.jsonl")).toThrow(
      new InvalidInputError(
        "SAMPLE_TOO_LONG",
        "client harbour: a.jsonl, line 4: expected prompt and completion of at most 8 bytes (sampleBytes) together, got 9; only texts are cut",
      ),
    );
  });

  it("are sliced after cutting: from, then every n-th, then so many", () => {
    const records = [text("aaaaaaa bbbbbbb ccccccc"), text("ddddddd eeeeeee fffffff ggggggg")];
    expect(answers(records, { from: 1, every: 2, samples: 2 })).toEqual(["bbbbbbb", "ddddddd"]);
    expect(answers(records, { from: 5 })).toEqual(["fffffff", "ggggggg"]);
  });

  it("that are fewer than asked for are an error, and so is none at all", () => {
    expect(() => answers([text("a")], { samples: 2 })).toThrow(
      "file: expected at least 2 samples (from 0, every 1), got 1 of 1 in the file",
    );
    expect(() => answers([text(" ")], {})).toThrow("is empty; expected at least 1 sample");
  });

  it("have white space collapsed first, then characters dropped", () => {
    const keepCharacters = new Set([..."abc "]);
    expect(answers([text("a \n b\u2014c😀")], { collapseWhitespace: true, keepCharacters })).toEqual(["a bc"]);
    expect(answers([text("a\nb")], { keepCharacters })).toEqual(["ab"]);
    expect(answers([text("a \u2014 b")], { collapseWhitespace: true, keepCharacters })).toEqual(["a  b"]);
  });

  it("of an empty completion are refused by line, also where dropping characters emptied it", () => {
    const record: RawRecord = { kind: "completion", line: 2, prompt: "a", completion: "😀" };
    expect(() => answers([record], { keepCharacters: new Set("a") })).toThrow(
      "file, line 2: expected a completion, got none once characters were dropped",
    );
  });

  it("are never made of multiple-choice questions", () => {
    const record: RawRecord = { kind: "choice", line: 3, prompt: "a", choices: ["b", "c"], answer: 0 };
    expect(() => answers([record], {})).toThrow(
      "file, line 3: expected text or a completion, got a multiple-choice question",
    );
  });

  it("that say the same twice stay once, the first of them, and are counted", () => {
    const all = prepareSamples([text("a", 1), text("b", 2), text("a", 3)], { sampleBytes: 8 }, hashSample, "file");
    const { samples, duplicates } = dropDuplicateSamples(all);
    expect(samples.map(({ line }) => line)).toEqual([1, 2]);
    expect(duplicates).toBe(1);
  });
});

describe("records that a run cannot use", () => {
  const completion: RawRecord = { kind: "completion", line: 2, prompt: "a", completion: "123456789" };
  const question: RawRecord = { kind: "choice", line: 3, prompt: "a", choices: ["b", "c"], answer: 0 };
  const asked = (records: RawRecord[], options: object) => prepareQuestions(records, options, "file");
  it.each<[code: string, action: () => unknown]>([
    ["SAMPLE_TOO_LONG", () => answers([completion], {})],
    ["EMPTY_COMPLETION", () => answers([completion], { keepCharacters: new Set("a") })],
    ["NOT_TRAINING_DATA", () => answers([question], {})],
    ["TOO_FEW_SAMPLES", () => answers([text("a")], { samples: 2 })],
    ["TOO_FEW_SAMPLES", () => answers([], {})],
    ["NOT_A_QUESTION", () => asked([text("a")], {})],
    ["SAMPLE_TOO_LONG", () => asked([question], { sampleBytes: 2 })],
    ["EMPTY_COMPLETION", () => asked([question], { keepCharacters: new Set("a") })],
    ["TOO_FEW_SAMPLES", () => asked([], {})],
  ])("are refused as %s", (code, action) => {
    expect(action).toThrow(expect.objectContaining({ name: "InvalidInputError", code }));
  });

  it("are counted in words", () => {
    expect(() => answers([], {})).toThrow(
      new InvalidInputError("TOO_FEW_SAMPLES", "file: is empty; expected at least 1 sample"),
    );
    expect(() => answers([], { samples: 3 })).toThrow(
      new InvalidInputError("TOO_FEW_SAMPLES", "file: is empty; expected at least 3 samples"),
    );
    expect(() => answers([text("a")], { from: 1 })).toThrow("expected at least 1 sample (from 1, every 1), got 0 of 1");
  });
});

describe("multiple-choice questions", () => {
  const record: RawRecord = { kind: "choice", line: 3, prompt: "2 + 2 =", choices: ["3", "4"], answer: 1 };

  it("put a space between prompt and answer where there is none", () => {
    expect(prepareQuestions([record], {}, "file")).toEqual([
      { prompt: "2 + 2 =", answers: [" 3", " 4"], correct: 1, line: 3 },
    ]);
    expect(prepareQuestions([{ ...record, prompt: "=\n" }], {}, "file")[0].answers).toEqual(["3", "4"]);
    expect(prepareQuestions([{ ...record, prompt: "" }], {}, "file")[0].answers).toEqual(["3", "4"]);
    const choices = ["3 or 4", "\t5"];
    expect(prepareQuestions([{ ...record, choices }], {}, "file")[0].answers).toEqual([" 3 or 4", "\t5"]);
  });

  it("may have all the bytes that they are allowed, with each choice", () => {
    expect(prepareQuestions([record], { sampleBytes: 9 }, "file")).toHaveLength(1);
  });

  it("are refused where they are too long or no questions, by line", () => {
    expect(() => prepareQuestions([record], { sampleBytes: 8 }, "file")).toThrow("file, line 3: expected the question");
    expect(() => prepareQuestions([text("a", 9)], {}, "file")).toThrow(
      "file, line 9: expected a multiple-choice question",
    );
    expect(() => prepareQuestions([record], { from: 1 }, "file")).toThrow("got 0 of 1");
  });

  it("are refused where a choice is empty once characters were dropped, a white space before it or not", () => {
    const dropping = { keepCharacters: new Set("2+= 4") };
    expect(() => prepareQuestions([record], dropping, "file")).toThrow(
      expect.objectContaining({
        code: "EMPTY_COMPLETION",
        message: "file, line 3: expected choice 0 to be text, got none once characters were dropped",
      }),
    );
  });
});

describe("a chat that a template has written", () => {
  const chat = {
    kind: "completion" as const,
    line: 1,
    prompt: "<|user|>a  b",
    completion: "c  d",
    marks: ["<|user|>"],
  };

  it("is not cleaned again, and keeps its marks", () => {
    const cleaning = { collapseWhitespace: true, keepCharacters: new Set(" abcd"), sampleBytes: 32 };
    const [sample] = prepareSamples([chat], cleaning, hashSample, "file");
    expect(sample).toMatchObject({ prompt: "<|user|>a  b", answer: "c  d", marks: ["<|user|>"] });
    const { marks: _, ...plain } = chat;
    const [other] = prepareSamples([plain], cleaning, hashSample, "file");
    expect(other).toMatchObject({ prompt: "a b", answer: "c d" });
    expect(other).not.toHaveProperty("marks");
  });
});

describe("further references of a completion", () => {
  const asked: RawRecord = { kind: "completion", line: 1, prompt: "Who?", completion: " Ann" };
  const prepared = (references: string[], cleaning: Partial<Preparation> = {}) =>
    prepareSamples([{ ...asked, references }], { sampleBytes: 8, ...cleaning }, hashSample, "file")[0]!;

  it("are cleaned as it is, and need not fit beside it", () => {
    expect(prepared(["Ann  Lee of\nYork"], { collapseWhitespace: true }).references).toEqual(["Ann Lee of York"]);
    expect(prepared(["Änn!"], { keepCharacters: new Set("An Who?") }).references).toEqual(["nn"]);
    expect(prepared(["Bo"])).toMatchObject({ prompt: "Who?", answer: " Ann" });
  });

  it("are left out where they say what it says, or another, or nothing", () => {
    expect(prepared(["Ann", " Ann ", "Bo", "Bo ", " ", ""]).references).toEqual(["Bo"]);
    expect(prepared([" Bo", "Bo"]).references).toEqual([" Bo"]);
    expect(prepared(["Ann", "!"], { keepCharacters: new Set("An Who?") })).not.toHaveProperty("references");
    expect(prepared([])).not.toHaveProperty("references");
    expect(prepareSamples([asked], { sampleBytes: 8 }, hashSample, "file")[0]).not.toHaveProperty("references");
  });

  it("leave its id as it is", () => {
    expect(prepared(["Bo"]).id).toEqual(prepared([]).id);
  });
});

describe("a .json file", () => {
  it("has rows where others have lines", () => {
    const long: RawRecord = { kind: "completion", line: 3, prompt: "a", completion: "b" };
    const question: RawRecord = { kind: "choice", line: 4, prompt: "a", choices: ["b", "c"], answer: 0 };
    const prepare = (record: RawRecord, name: string) => () =>
      prepareSamples([record], { sampleBytes: 1 }, hashSample, name);
    expect(prepare(long, "it.json")).toThrow("it.json, row 3: expected prompt and completion of at most 1 bytes");
    expect(prepare(long, "it.jsonl")).toThrow("it.jsonl, line 3: expected prompt and completion of at most 1 bytes");
    expect(prepare({ ...long, completion: "" }, "it.json")).toThrow("it.json, row 3: expected a completion");
    expect(prepare(question, "it.json")).toThrow("it.json, row 4: expected text or a completion");
    expect(() => prepareQuestions([long], {}, "it.json")).toThrow(
      "it.json, row 3: expected a multiple-choice question",
    );
    expect(() => prepareQuestions([question], { sampleBytes: 1 }, "it.json")).toThrow(
      "it.json, row 4: expected the question",
    );
  });
});
