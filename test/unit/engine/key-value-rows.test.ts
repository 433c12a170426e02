import { describe, expect, it } from "@jest/globals";
import type { Architecture } from "../../../shared/src/engine/architectures/architecture.ts";
import { KeyValueRows, keptName } from "../../../shared/src/engine/key-value-rows.ts";

const ARCHITECTURE = {
  blocks: 2,
  contextTokens: 1000,
  attention: { heads: 4, keyValueHeads: 2, headSize: 3 },
} as Architecture;
const PARTS = 4;
const [HEADS, SIZE] = [2, 3];

/** What text `text` has at a place: told by the numbers alone. */
const expected = (part: number, text: number, head: number, token: number, at: number) =>
  (((part * 10 + text) * 10 + head) * 1000 + token) * 10 + at;

/** As a run gives it: [blocks × 2, rows, keyValueHeads, count, headSize] of texts that have so many tokens. */
function fresh(texts: readonly number[], lengths: readonly number[], count: number): Float32Array {
  const values: number[] = [];
  for (let part = 0; part < PARTS; part++)
    texts.forEach((text, row) => {
      for (let head = 0; head < HEADS; head++)
        for (let token = 0; token < count; token++)
          for (let at = 0; at < SIZE; at++) values.push(expected(part, text, head, lengths[row] + token, at));
    });
  return Float32Array.from(values);
}

/** Holds what the graph would be fed of the rows against what each text must have. */
function expectTexts(rows: KeyValueRows, texts: readonly number[]): void {
  const feeds = rows.feeds(0, texts.length);
  for (let part = 0; part < PARTS; part++) {
    const { data, shape } = feeds[keptName(part % 2 === 0 ? "keys" : "values", part >> 1)];
    expect(shape).toEqual([texts.length, HEADS, rows.slots, SIZE]);
    expect(data).toHaveLength(texts.length * HEADS * rows.slots * SIZE);
    texts.forEach((text, row) => {
      for (let head = 0; head < HEADS; head++)
        for (let token = 0; token < rows.lengths[row]; token++)
          for (let at = 0; at < SIZE; at++)
            expect(data[((row * HEADS + head) * rows.slots + token) * SIZE + at]).toBe(
              expected(part, text, head, token, at),
            );
    });
  }
}

function add(rows: KeyValueRows, text: number, count: number): void {
  rows.add();
  extend(rows, [text], rows.lengths.length - 1, count);
}

function extend(rows: KeyValueRows, texts: readonly number[], begin: number, count: number): void {
  const end = begin + texts.length;
  rows.reserve(begin, end, count);
  rows.append(fresh(texts, rows.lengths.slice(begin, end), count), begin, end, count);
}

describe("the keys and values of several texts", () => {
  it("stay what they are while texts grow, leave and take each other's place", () => {
    const rows = new KeyValueRows(ARCHITECTURE, 3);
    add(rows, 1, 5);
    add(rows, 2, 130);
    expectTexts(rows, [1, 2]);
    add(rows, 3, 7);
    extend(rows, [1, 2, 3], 0, 1);
    expect(rows.lengths).toEqual([6, 131, 8]);
    expectTexts(rows, [1, 2, 3]);
    rows.move(2, 0);
    rows.removeLast();
    expectTexts(rows, [3, 2]);
    for (let step = 0; step < 100; step++) extend(rows, [3, 2], 0, 1);
    expect(rows.lengths).toEqual([108, 231]);
    expectTexts(rows, [3, 2]);
  });

  it("take up room for the longest text, by steps, no more than the context, and give it back after it", () => {
    const rows = new KeyValueRows(ARCHITECTURE, 2);
    add(rows, 1, 10);
    expect(rows.slots).toBe(64);
    extend(rows, [1], 0, 54);
    expect(rows.slots).toBe(64);
    extend(rows, [1], 0, 1);
    expect(rows.slots).toBe(128);
    add(rows, 2, 950);
    expect(rows.slots).toBe(960);
    extend(rows, [2], 1, 40);
    expect(rows.slots).toBe(1024);
    rows.removeLast();
    extend(rows, [1], 0, 1);
    expect(rows.lengths).toEqual([66]);
    expect(rows.slots).toBe(128);
    expectTexts(rows, [1]);
  });

  it("are read out of one row and written into another, whole or in part", () => {
    const rows = new KeyValueRows(ARCHITECTURE, 2);
    add(rows, 1, 50);
    const part = rows.read(0, 16, 16);
    rows.add();
    rows.reserve(1, 2, 40);
    rows.write(1, rows.read(0, 0, 16), 16);
    rows.write(1, part, 9);
    expect(rows.lengths).toEqual([50, 25]);
    expectTexts(rows, [1, 1]);
  });

  it("are fed without a copy", () => {
    const rows = new KeyValueRows(ARCHITECTURE, 2);
    add(rows, 1, 5);
    expect(rows.feeds(0, 1)).toBe(rows.feeds(0, 1));
    add(rows, 2, 5);
    const buffers = [rows.feeds(0, 1), rows.feeds(0, 2), rows.feeds(1, 2)].map(
      (feeds) => feeds[keptName("values", 1)].data.buffer,
    );
    expect(new Set(buffers).size).toBe(1);
  });
});
