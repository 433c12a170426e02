import { describe, expect, it } from "@jest/globals";
import { checkSamples, checkTargets, type Lessons } from "../../../shared/src/core/check-model-input.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";

const BOUNDS = { vocabularySize: 29, contextTokens: 4 };
const sample = (ids: number[], answer: number[]) => ({ ids: Int32Array.from(ids), answer: Uint8Array.from(answer) });
const GOOD = sample([0, 28, 3, 4], [0, 1, 0, 1]);

describe("the samples that a model is given", () => {
  it("may fill its context and its vocabulary", () => {
    expect(() => checkSamples([GOOD, sample([1], [0])], BOUNDS)).not.toThrow();
  });

  it.each([
    ["without tokens", sample([], []), "expected at least one token, got none"],
    [
      "longer than the context",
      sample([1, 2, 3, 4, 5], [0, 1, 1, 1, 1]),
      "expected at most 4 tokens, the model's context, got 5",
    ],
    ["with too few answer flags", sample([1, 2, 3], [0, 1]), "expected an answer flag for each of 3 tokens, got 2"],
    [
      "that begins with an answer",
      sample([1, 2], [1, 1]),
      "expected the first token not to be an answer token: nothing predicts it",
    ],
    [
      "with a token beyond the vocabulary",
      sample([1, 29], [0, 1]),
      "expected token ids below 29, the model's vocabulary, got 29",
    ],
    ["with a negative token", sample([1, -1], [0, 1]), "expected token ids below 29, the model's vocabulary, got -1"],
  ])("are refused where one is %s", (_, wrong, reason) => {
    expect(() => checkSamples([GOOD, wrong], BOUNDS)).toThrow(
      expect.objectContaining({ name: "InvalidInputError", code: "SAMPLE_INVALID", message: `sample 1: ${reason}` }),
    );
  });
});

describe("the knowledge that a model is taught", () => {
  // groups 0, 1, 2, the last first
  const partition = Int32Array.from({ length: 29 }, (_, token) => 2 - (token % 3));
  const target = {
    positions: Int32Array.of(0, 2),
    offsets: Int32Array.of(0, 1, 3),
    entries: Int32Array.of(4, 28, 0),
    probabilities: Float32Array.of(0.5, 0, 1),
    tail: Float32Array.of(0.5, 0),
    partition: -1,
  };
  type Target = typeof target;
  const lessons = (change: Partial<Target>): Lessons => ({
    samples: [GOOD, GOOD],
    targets: [null, { ...target, ...change }],
    partitions: [partition],
  });

  it.each<[string, Partial<Target>]>([
    ["of tokens", {}],
    ["at a prompt's position", { positions: Int32Array.of(0, 1) }],
    ["of groups", { partition: 0, entries: Int32Array.of(2, 1, 0) }],
    [
      "whose masses are a rounding off",
      { probabilities: Float32Array.of(1.0005, 0, 1), tail: Float32Array.of(-0.0005, 1.0005) },
    ],
    ["that says nothing at a position", { offsets: Int32Array.of(0, 3, 3) }],
    [
      "of no position at all",
      {
        positions: new Int32Array(0),
        offsets: Int32Array.of(0),
        entries: new Int32Array(0),
        probabilities: new Float32Array(0),
        tail: new Float32Array(0),
      },
    ],
  ])("may be %s", (_, change) => {
    expect(() => checkTargets(lessons(change), BOUNDS)).not.toThrow();
  });

  it("may be none, for all samples or for some, and needs no partition then", () => {
    expect(() => checkTargets({ samples: [GOOD] }, BOUNDS)).not.toThrow();
    expect(() => checkTargets({ samples: [GOOD, GOOD], targets: [null, target] }, BOUNDS)).not.toThrow();
  });

  const FOLLOWED = "expected ascending positions that a token follows, up to 2";
  const offsets = (got: string) => `expected offsets from 0 to the 3 entries and as many probabilities, got ${got}`;
  it.each<[string, Partial<Target>, string]>([
    ["of a partition that is not there", { partition: 1 }, "expected one of 1 partitions or −1, got 1"],
    ["of a partition below −1", { partition: -2 }, "expected one of 1 partitions or −1, got -2"],
    ["of half a partition", { partition: -0.5 }, "expected one of 1 partitions or −1, got -0.5"],
    ["with too few offsets", { offsets: Int32Array.of(0, 3) }, "expected 3 offsets and 2 tails, got 2 and 2"],
    ["with too few tails", { tail: Float32Array.of(0) }, "expected 3 offsets and 2 tails, got 3 and 1"],
    ["with offsets that begin late", { offsets: Int32Array.of(1, 1, 3) }, offsets("1 to 3 and 3")],
    ["with offsets past its entries", { offsets: Int32Array.of(0, 1, 9) }, offsets("0 to 9 and 3")],
    ["with too few probabilities", { probabilities: Float32Array.of(0.5, 0.5) }, offsets("0 to 3 and 2")],
    ["at the last position", { positions: Int32Array.of(0, 3) }, `${FOLLOWED}, got 3 at 1`],
    ["at a position below 0", { positions: Int32Array.of(-1, 2) }, `${FOLLOWED}, got -1 at 0`],
    ["out of order", { positions: Int32Array.of(2, 0) }, `${FOLLOWED}, got 0 at 1`],
    ["twice at a position", { positions: Int32Array.of(2, 2) }, `${FOLLOWED}, got 2 at 1`],
    ["whose offsets fall", { offsets: Int32Array.of(0, -1, 3) }, "position 0: expected ascending offsets"],
    [
      "beyond the vocabulary",
      { entries: Int32Array.of(4, 5, 29) },
      "position 2: expected distinct entries below 29, got 29",
    ],
    [
      "below the vocabulary",
      { entries: Int32Array.of(-1, 5, 6) },
      "position 0: expected distinct entries below 29, got -1",
    ],
    [
      "beyond its partition's groups",
      { partition: 0, entries: Int32Array.of(3, 1, 0) },
      "position 0: expected distinct entries below 3, got 3",
    ],
    [
      "that says an entry twice",
      { entries: Int32Array.of(4, 6, 6) },
      "position 2: expected distinct entries below 29, got 6",
    ],
    [
      "that is not a number",
      { probabilities: Float32Array.of(0.5, Number.NaN, 0) },
      "position 2: expected probabilities from 0 to 1, got NaN",
    ],
    [
      "of more than all mass",
      { probabilities: Float32Array.of(1.25, 0, 0) },
      "position 0: expected probabilities from 0 to 1, got 1.25",
    ],
    [
      "of less than no mass",
      { probabilities: Float32Array.of(-0.25, 0, 0) },
      "position 0: expected probabilities from 0 to 1, got -0.25",
    ],
    ["with a tail above 1", { tail: Float32Array.of(2, 0) }, "position 0: expected a tail from 0 to 1, got 2"],
    ["with a tail below 0", { tail: Float32Array.of(0, -0.5) }, "position 2: expected a tail from 0 to 1, got -0.5"],
  ])("is refused %s", (_, change, reason) => {
    expect(() => checkTargets(lessons(change), BOUNDS)).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "KNOWLEDGE_INVALID",
        message: `knowledge: sample 1: ${reason}`,
      }),
    );
  });

  it("is refused where a partition's only group is not the one that it is of", () => {
    const one = new Int32Array(29);
    const of = (entry: number) => ({
      ...lessons({
        partition: 0,
        offsets: Int32Array.of(0, 1, 1),
        entries: Int32Array.of(entry),
        probabilities: Float32Array.of(1),
      }),
      partitions: [one],
    });
    expect(() => checkTargets(of(0), BOUNDS)).not.toThrow();
    expect(() => checkTargets(of(1), BOUNDS)).toThrow("expected distinct entries below 1, got 1");
  });

  it.each<[string, Lessons, string]>([
    [
      "targets do not go with the samples",
      { samples: [GOOD], targets: [null, null] },
      "expected a target or null for each of 1 samples, got 2",
    ],
    [
      "a partition leaves tokens out",
      { samples: [GOOD], targets: [null], partitions: [partition, partition.subarray(1)] },
      "partition 1: expected a group for each of 29 tokens, got 28",
    ],
    [
      "a partition has more groups than tokens",
      { samples: [GOOD], targets: [null], partitions: [new Int32Array(29).fill(29)] },
      "partition 0: expected groups from 0 to 28, got 29",
    ],
    [
      "a token has no group",
      { samples: [GOOD], targets: [null], partitions: [new Int32Array(29).fill(-1)] },
      "partition 0: expected groups from 0 to 28, got -1",
    ],
  ])("is refused where %s", (_, given, reason) => {
    expect(() => checkTargets(given, BOUNDS)).toThrow(
      new InvalidInputError("KNOWLEDGE_INVALID", `knowledge: ${reason}`),
    );
  });
});
