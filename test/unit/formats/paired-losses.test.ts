import { describe, expect, it } from "@jest/globals";
import { readPairedLosses, writePairedLosses } from "../../../shared/src/formats/paired-losses.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { makeKnowledge } from "../../support/knowledge.ts";

const KNOWLEDGE = makeKnowledge([5, 3], [0.3, 2.1, -0.7, 1.9]);
const ADVANTAGE = { nats: Float64Array.of(0.5, 0), positions: Int32Array.of(2, 0) };
const WHAT = "round-1/losses.safetensors";

/** A file with some tensors in place of its own; null: left out. */
function changed(tensors: Record<string, Tensor | null>): Uint8Array {
  const file = readSafetensors(writePairedLosses(KNOWLEDGE, KNOWLEDGE, ADVANTAGE), WHAT);
  const all = Object.entries({ ...Object.fromEntries(file.tensors), ...tensors }).filter(
    ([, tensor]) => tensor !== null,
  );
  return writeSafetensors(Object.fromEntries(all) as Record<string, Tensor>, file.metadata);
}
const nats = (...data: number[]) =>
  ({ advantage_nats: { dtype: "F64", shape: [data.length], data: Float64Array.from(data) } }) as const;
const positions = (...data: number[]) =>
  ({ advantage_positions: { dtype: "I32", shape: [data.length], data: Int32Array.from(data) } }) as const;

describe("The losses of two parties", () => {
  it("come back as they were written, with the advantage where selection is by token", () => {
    const plain = readPairedLosses(writePairedLosses(KNOWLEDGE, KNOWLEDGE), WHAT);
    expect(plain).toEqual({
      sourceNats: KNOWLEDGE.lossNats,
      targetNats: KNOWLEDGE.lossNats,
      answerBytes: KNOWLEDGE.answerBytes,
      sourceAnswerTokens: KNOWLEDGE.answerPositions,
      targetAnswerTokens: KNOWLEDGE.answerPositions,
      sourceTokens: Int32Array.of(5, 3),
      targetTokens: Int32Array.of(5, 3),
      advantage: null,
    });
    const byToken = readPairedLosses(writePairedLosses(KNOWLEDGE, KNOWLEDGE, ADVANTAGE), WHAT);
    expect(byToken).toEqual({ ...plain, advantage: ADVANTAGE });
  });

  it.each([
    [
      "without its positions",
      { advantage_positions: null },
      "expected an advantage in nats and positions of each sample",
    ],
    ["without its nats", { advantage_nats: null }, "expected an advantage in nats and positions of each sample"],
    ["of fewer samples", nats(0.5), "expected an advantage in nats and positions of each sample"],
    ["at fewer samples", positions(2), "expected an advantage in nats and positions of each sample"],
    [
      "below 0",
      nats(-0.5, 0),
      "sample 0: expected an advantage ≥ 0 at fewer positions than its 5 tokens, got -0.5 at 2",
    ],
    ["that is not a number", nats(0.5, Number.NaN), "sample 1: expected an advantage ≥ 0"],
    ["without end", nats(Number.POSITIVE_INFINITY, 0), "sample 0: expected an advantage ≥ 0"],
    ["at less than no position", positions(2, -1), "got 0 at -1"],
    ["at as many positions as there are tokens", positions(5, 0), "got 0.5 at 5"],
    ["at no position", positions(0, 0), "got 0.5 at 0"],
  ])("are refused with an advantage %s", (_, tensors, message) => {
    expect(() => readPairedLosses(changed(tensors), WHAT)).toThrow(
      expect.objectContaining({ code: "LOSSES_INVALID", message: expect.stringContaining(`${WHAT}: `) }),
    );
    expect(() => readPairedLosses(changed(tensors), WHAT)).toThrow(message);
  });
});
