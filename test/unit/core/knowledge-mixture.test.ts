import { describe, expect, it } from "@jest/globals";
import { KnowledgeMixture } from "../../../shared/src/core/selection/knowledge-mixture.ts";
import type { TaughtKnowledge } from "../../../shared/src/core/selection/own-knowledge.ts";

interface Said {
  sample: number;
  position: number;
  /** mass by entry, ascending */
  masses: [entry: number, mass: number][];
  tail: number;
}

/** Knowledge of so many samples that says this, and nothing elsewhere. */
function taught(samples: number, ...said: Said[]): TaughtKnowledge {
  const counts = Array.from({ length: samples }, (_, sample) => said.filter((one) => one.sample === sample).length);
  const running = (numbers: number[]) => {
    const sums = [0];
    for (const number of numbers) sums.push(sums.at(-1)! + number);
    return sums;
  };
  const all = said.flatMap(({ masses }) => masses);
  return {
    sampleIds: new Uint8Array(16 * samples),
    positionOffsets: Int32Array.from(running(counts)),
    positions: Int32Array.from(said, ({ position }) => position),
    entryOffsets: Int32Array.from(running(said.map(({ masses }) => masses.length))),
    entries: Int32Array.from(all, ([entry]) => entry),
    probabilities: Float32Array.from(all, ([, mass]) => mass),
    tail: Float32Array.from(said, ({ tail }) => tail),
  };
}

const own = taught(
  2,
  { sample: 0, position: 1, masses: [[4, 0.5]], tail: 0.5 },
  {
    sample: 0,
    position: 3,
    masses: [
      [2, 0.25],
      [9, 0.75],
    ],
    tail: 0,
  },
  { sample: 1, position: 5, masses: [[1, 1]], tail: 0 },
  { sample: 1, position: 6, masses: [[7, 0.5]], tail: 0.5 },
);
// the target, then two sources
const shares = Float64Array.of(2, 1, 1, 1, 2, 1);

describe("A mixture of knowledge", () => {
  const first = taught(
    2,
    {
      sample: 0,
      position: 3,
      masses: [
        [2, 0.5],
        [5, 0.25],
      ],
      tail: 0.25,
    },
    { sample: 1, position: 6, masses: [[7, 1]], tail: 0 },
  );
  const second = taught(2, { sample: 0, position: 3, masses: [[9, 1]], tail: 0 });

  it("is what all say, by their shares, where a source speaks; the share of those who do not is the target's", () => {
    const mixture = new KnowledgeMixture(own, shares);
    mixture.add(0, first);
    mixture.add(1, second);
    const expected = taught(
      2,
      {
        sample: 0,
        position: 3,
        masses: [
          [2, 0.5 * 0.25 + 0.25 * 0.5],
          [5, 0.25 * 0.25],
          [9, 0.5 * 0.75 + 0.25],
        ],
        tail: 0.25 * 0.25,
      },
      { sample: 1, position: 6, masses: [[7, 0.5 * 0.5 + 0.5]], tail: 0.5 * 0.5 },
    );
    expect(mixture.finish()).toEqual(expected);
    expect(mixture.finish()).toEqual(expected);
  });

  it("leaves the shares that it was given as they are", () => {
    const given = Float64Array.of(2, 1, 1, 0.25, 0.5, 0.25);
    new KnowledgeMixture(own, given);
    expect([...given]).toEqual([2, 1, 1, 0.25, 0.5, 0.25]);
  });

  it("of the better sources alone gives the share of those who are silent to those who speak", () => {
    // source by source what is said at three positions of one sample; the target says other things, and has no share
    const [four, six, eight] = [4, 6, 8].map((position) => ({ sample: 0, position, tail: 0 }));
    const target = taught(
      1,
      { ...four, masses: [[1, 1]] },
      { ...six, masses: [[1, 1]] },
      { ...eight, masses: [[1, 1]] },
    );
    const mixture = new KnowledgeMixture(target, Float64Array.of(0, 0.75, 0.25, 0), "speakers");
    mixture.add(0, taught(1, { ...four, masses: [[2, 1]] }));
    mixture.add(1, taught(1, { ...four, masses: [[1, 0.5]], tail: 0.5 }, { ...six, masses: [[2, 0.25]], tail: 0.75 }));
    // a source without a share is not heard, even where it speaks alone
    mixture.add(2, taught(1, { ...six, masses: [[9, 1]] }, { ...eight, masses: [[9, 1]] }));
    const expected = taught(
      1,
      {
        ...four,
        masses: [
          [1, 0.125],
          [2, 0.75],
        ],
        tail: 0.125,
      },
      { ...six, masses: [[2, 0.25]], tail: 0.75 },
    );
    expect(mixture.finish()).toEqual(expected);
    expect(mixture.finish()).toEqual(expected);
  });

  it("takes who speaks alone by his word, however small his share of the sample", () => {
    const [four, six] = [4, 6].map((position) => ({ sample: 0, position, tail: 0 }));
    const target = taught(1, { ...four, masses: [[1, 1]] }, { ...six, masses: [[1, 1]] });
    const mixture = new KnowledgeMixture(target, Float64Array.of(0, 1, 1e-20), "speakers");
    mixture.add(0, taught(1, { ...four, masses: [[2, 1]] }));
    mixture.add(1, taught(1, { ...six, masses: [[3, 0.25]], tail: 0.75 }));
    expect(mixture.finish()).toEqual(
      taught(1, { ...four, masses: [[2, 1]] }, { ...six, masses: [[3, 0.25]], tail: 0.75 }),
    );
  });

  it("leaves out a sample of which nobody has a share", () => {
    const mixture = new KnowledgeMixture(own, Float64Array.of(0, 0, 0, 0, 1, 0), "speakers");
    mixture.add(0, first);
    mixture.add(1, second);
    expect(mixture.finish()).toEqual(taught(2, { sample: 1, position: 6, masses: [[7, 1]], tail: 0 }));
  });

  it("is nothing where no source speaks, and where there are no samples", () => {
    expect(new KnowledgeMixture(own, shares).finish()).toEqual(taught(2));
    const none = new KnowledgeMixture(taught(0), new Float64Array(0));
    none.add(0, taught(0));
    expect(none.finish()).toEqual(taught(0));
  });

  it.each([
    ["between the target's positions", 0, 2],
    ["before them", 0, 0],
    ["behind them, where the next sample has its first", 0, 5],
    ["behind them, where the next sample has another", 0, 6],
    ["behind them all", 1, 7],
  ])("has no place for a source that speaks %s", (_, sample, position) => {
    const mixture = new KnowledgeMixture(own, shares);
    expect(() => mixture.add(0, taught(2, { sample, position, masses: [[1, 1]], tail: 0 }))).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "MIXTURE_MISFITS",
        message: `sample ${sample}: expected a source to speak at the target's positions, got ${position}`,
      }),
    );
  });
});
