import { describe, expect, it } from "@jest/globals";
import { alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import {
  coarse,
  fine,
  mapOf,
  plain,
  type Says,
  shard,
  type Token,
  toCoarse,
  toFine,
  told,
} from "../../support/said-knowledge.ts";

const { equal, edit } = MAPPED;

const unlike = mapOf(7, ...coarse.strings.map((): [number, number] => [6, edit]));
const vocabularies = { source: coarse, target: fine };
const says: Says = [[1, 1]];
/** Coarse and fine tokens of the same bytes, none spelt alike or mapped on the other. */
const from = shard([
  { id: 0, end: 1, says },
  { id: 4, end: 2, says },
  { id: 4, end: 3 },
]);
const to = shard([
  { id: 0, end: 1, says },
  { id: 4, end: 2, says },
  { id: 1, end: 3 },
]);

describe("the paper's transfer", () => {
  const start = [0, { 1: 1 }, 0];
  const end = [3, { 5: 1 }, 0];
  const third = Math.round(1e5 / 3) / 1e5;

  it("renormalises what was kept, and teaches the next token where the texts part differently", () => {
    expect(told(toCoarse({ transfer: "paper" })).learned).toEqual([
      [0, { 1: Math.round(2e5 / 3) / 1e5, 3: third }, 0],
      [1, { 2: Math.round(2e5 / 3) / 1e5, 3: third }, 0],
      [2, { 0: Math.round(7e5 / 9) / 1e5, 3: Math.round(2e5 / 9) / 1e5 }, 0],
    ]);
    const halves = { 2: Math.round(4e5 / 7) / 1e5, 3: Math.round(1e5 / 7) / 1e5, 4: Math.round(2e5 / 7) / 1e5 };
    expect(told(toFine({ transfer: "paper" })).learned).toEqual([start, [1, halves, 0], [2, { 3: 1 }, 0], end]);
    expect(toFine({ transfer: "paper" }).statistics).toMatchObject({ targetPositions: 4, alignedPositions: 3 });
  });

  it("also transfers where an alignment pairs tokens that are spelt alike or mapped on each other", () => {
    const says = (id: number): Says => [[id, 1]];
    // "b" is at other bytes on the two sides
    const from = shard([
      { id: 1, end: 1, says: says(4) },
      { id: 3, end: 3, says: says(1) },
      { id: 4, end: 5, says: says(1) },
      { id: 1, end: 6 },
    ]);
    const to = shard([
      { id: 1, end: 1, says: says(0) },
      { id: 4, end: 4, says: says(0) },
      { id: 3, end: 5, says: says(0) },
      { id: 1, end: 6 },
    ]);
    const spelt = mapOf(7, ...coarse.strings.map((): [number, number] => [6, edit]));
    const vocabularies = { source: coarse, target: fine };
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    // after "b" what the source says after its "b": not its label; "c" and "happy" are neither spelt alike nor mapped
    expect(told(alignKnowledge(from, to, spelt, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 6: 1 }, 0],
    ]);
    const elsewhere = shard([
      { id: 1, end: 1, says: says(4) },
      { id: 3, end: 3, says: says(1) },
      { id: 4, end: 4, says: says(1) },
      { id: 1, end: 6 },
    ]);
    expect(told(alignKnowledge(elsewhere, to, spelt, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 1: 1 }, 0],
    ]);
    const mapped = { ...spelt, targetOfSource: Int32Array.of(6, 6, 6, 6, 3) };
    expect(told(alignKnowledge(elsewhere, to, mapped, vocabularies, settings)).learned).toEqual([
      [0, { 3: 1 }, 0],
      [1, { 6: 1 }, 0],
      [2, { 6: 1 }, 0],
    ]);
  });

  it("says nothing after a text's last token, which has no next one", () => {
    const last: Token[] = [
      { id: 1, end: 1, says: [[1, 1]] },
      { id: 2, end: 9, says: [[1, 1]] },
    ];
    const lone = shard([
      { id: 1, end: 1, says: [[1, 1]] },
      { id: 2, end: 9 },
    ]);
    const settings = { ...plain, transfer: "paper" } as const;
    const vocabularies = { source: coarse, target: coarse };
    const same = mapOf(5, ...[0, 1, 2, 3, 4].map((id): [number, number] => [id, equal]));
    expect(told(alignKnowledge(lone, shard(last), same, vocabularies, settings)).learned).toEqual([[0, { 1: 1 }, 0]]);
    expect(told(alignKnowledge(shard(last), shard(last), same, vocabularies, settings)).learned).toEqual([
      [0, { 1: 1 }, 0],
      [1, { 1: 1 }, 0],
    ]);
  });

  it("needs no likeness where both end a block at the same byte, from the first position on", () => {
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    expect(told(alignKnowledge(from, to, unlike, vocabularies, settings)).learned).toEqual([
      [0, { 6: 1 }, 0],
      [1, { 6: 1 }, 0],
    ]);
  });

  it("is the label where the block's last source token ends elsewhere", () => {
    const settings = { ...plain, alignment: "dtw", transfer: "paper" } as const;
    // by bytes "<e>" belongs to "<s>", but "c" is as near to it and comes after
    const longer = shard([
      { id: 0, end: 2, says },
      { id: 4, end: 4, says },
      { id: 2, end: 6 },
    ]);
    const shorter = shard([
      { id: 0, end: 2, says },
      { id: 3, end: 6 },
    ]);
    expect(told(alignKnowledge(longer, shorter, unlike, vocabularies, settings)).learned).toEqual([[0, { 3: 1 }, 0]]);
  });
});
