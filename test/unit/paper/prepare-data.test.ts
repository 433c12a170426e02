import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { prepareData, splitRows } from "../../../scripts/paper/prepare-data.ts";

const PARTS = ["public", "client-1", "client-2", "client-3", "client-4"];
const rows = (count: number, passage = "A ship waits.") =>
  Array.from({ length: count }, (_, id) => ({ id: `row ${id}`, passage, question: "who waits", label: 0 }));
const idsOf = (split: ReturnType<typeof splitRows>, part: string) => split.get(part)!.map(({ id }) => id as string);

describe("splitting a task's data as the paper does", () => {
  it("gives one public and four private parts of equal size, no row twice, in an order of the seed's", () => {
    const split = splitRows("boolq", rows(52), rows(7), 123);
    const parts = PARTS.map((part) => idsOf(split, part));
    expect(parts.map((part) => part.length)).toEqual([10, 10, 10, 10, 10]);
    expect(new Set(parts.flat()).size).toBe(50);
    expect(parts.flat()).not.toEqual(rows(50).map(({ id }) => id));
    expect(idsOf(split, "test")).toEqual(rows(7).map(({ id }) => id));
    expect(splitRows("boolq", rows(52), rows(7), 123)).toEqual(split);
    expect(idsOf(splitRows("boolq", rows(52), [], 124), "public")).not.toEqual(parts[0]);
  });

  it("takes no more rows than asked for", () => {
    expect(splitRows("boolq", rows(52), [], 1, 20).get("client-4")).toHaveLength(4);
  });

  it("cuts a long passage at white space, as far as is needed, and leaves the answer's fields alone", () => {
    const [row] = splitRows("boolq", [], rows(1, "ship ".repeat(1000)), 1).get("test")!;
    expect(row).toMatchObject({ id: "row 0", question: "who waits", label: 0 });
    expect(row.passage).toMatch(/^(ship )+ship$/);
    const length = Object.values(row).join("").length;
    expect(length).toBeLessThanOrEqual(1901);
    expect(length).toBeGreaterThan(1890);
  });

  it("leaves out a row that is too long and has nothing to be cut", () => {
    const long = { question: "x".repeat(3000), choices: { text: ["a"], label: ["A"] }, answerKey: "A" };
    expect(splitRows("arc-easy", [long], [long], 1).get("test")).toEqual([]);
  });

  it("draws what S-NI is scored on from the rows that there are, of outputs of at least 11 words alone", () => {
    const sni = Array.from({ length: 900 }, (_, id) => ({
      ...{ id: `row ${id}`, instruction: "Say it.", input: "" },
      output: Array(id % 2 === 0 ? 11 : 10)
        .fill("word")
        .join(" "),
    }));
    const split = splitRows("sni", sni, [], 1);
    expect(split.get("test")).toHaveLength(300);
    expect(PARTS.map((part) => split.get(part)!.length)).toEqual([30, 30, 30, 30, 30]);
    const ids = ["test", ...PARTS].flatMap((part) => idsOf(split, part));
    expect(new Set(ids).size).toBe(450);
    for (const id of ids) expect(Number(id.slice(4)) % 2).toBe(0);
  });

  it("refuses a task that it does not know", () => {
    expect(() => splitRows("ark", [], [], 1)).toThrow("expected one of rte, wic");
    expect(() => splitRows("constructor", [], [], 1)).toThrow("expected one of rte, wic");
  });
});

describe("the command that prepares a task's data", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-paper-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (name: string, content: readonly object[]) => {
    const path = join(folder, name);
    writeFileSync(path, content.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return path;
  };
  const prepare = (...argv: string[]) => prepareData([...argv, "--out", folder]);

  it("writes the parts and the scored rows, and says how many rows it left out", () => {
    const told = prepare("boolq", file("train.jsonl", rows(52)), file("test.jsonl", rows(7)));
    expect(told).toEqual([
      ...PARTS.map((part) => `boolq/${part}.jsonl: 10 rows`),
      "boolq/test.jsonl: 7 rows",
      "2 rows left out: too long, not taken for this task, or more than five equal parts hold",
    ]);
    expect(readFileSync(join(folder, "boolq/test.jsonl"), "utf8")).toBe(
      readFileSync(join(folder, "test.jsonl"), "utf8"),
    );
    expect(prepare("boolq", join(folder, "train.jsonl"), join(folder, "test.jsonl"), "--rows", "50")).toHaveLength(7);
  });

  it("refuses what it would else make empty or wrong sets of", () => {
    const train = file("train.jsonl", rows(52));
    expect(() => prepare()).toThrow("expected a task, the file of training rows");
    expect(() => prepare("ark", train)).toThrow("expected one of rte, wic");
    expect(() => prepare("boolq", train)).toThrow("boolq: expected a second file, of rows to be scored");
    expect(() => prepare("sni", train, train)).toThrow("sni: expected one file, of which 300 rows are scored, got two");
    expect(() => prepare("boolq", train, file("none.jsonl", []))).toThrow("boolq: expected rows for test");
    expect(() => prepare("boolq", train, train, "--rows", "many")).toThrow("--rows: expected a whole number, got many");
  });
});
