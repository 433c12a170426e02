import { describe, expect, it } from "@jest/globals";
import { createRandom } from "../../../shared/src/core/numeric/random.ts";
import { createTokenSampler, type SamplingOptions, topTokens } from "../../../shared/src/core/numeric/token-sampler.ts";

const PLAIN: SamplingOptions = { temperature: 1, topK: null, topP: null, seed: 3 };
const DRAWS = 20_000;
/** The χ² distribution's 0.999 quantiles, by degrees of freedom. */
const CHI_SQUARE_999: Record<number, number> = { 1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 7: 24.32 };

const LOGITS = Float32Array.of(0.3, -1.2, 2.1, 0.3, 1.4, -0.4, 0.9, -2);

function softmax(logits: Float32Array, temperature: number): number[] {
  const weights = Array.from(logits, (logit) => Math.exp(logit / temperature));
  const total = weights.reduce((sum, one) => sum + one, 0);
  return weights.map((weight) => weight / total);
}

/** What is left of a distribution where only these ids may be drawn. */
function among(probabilities: readonly number[], ids: readonly number[]): number[] {
  const total = ids.reduce((sum, id) => sum + probabilities[id], 0);
  return probabilities.map((probability, id) => (ids.includes(id) ? probability / total : 0));
}

/** Draws many times, and holds the counts against a distribution by Pearson's χ². */
function expectDistribution(options: Partial<SamplingOptions>, expected: readonly number[]): void {
  const sample = createTokenSampler({ ...PLAIN, ...options });
  const counts = new Array<number>(expected.length).fill(0);
  for (let draw = 0; draw < DRAWS; draw++) counts[sample(LOGITS)]++;
  const possible = expected.flatMap((probability, id) => (probability > 0 ? [id] : []));
  expected.forEach((probability, id) => {
    if (probability === 0) expect(counts[id]).toBe(0);
  });
  const statistic = possible.reduce(
    (sum, id) => sum + (counts[id] - DRAWS * expected[id]) ** 2 / (DRAWS * expected[id]),
    0,
  );
  expect(statistic).toBeLessThan(CHI_SQUARE_999[possible.length - 1]);
}

describe("a sampler of tokens", () => {
  it("draws by the softmax of the logits", () => {
    expectDistribution({}, softmax(LOGITS, 1));
  });

  it("finds the likeliest tokens of a large vocabulary, whatever their order", () => {
    const random = createRandom(2);
    const spread = Float32Array.from({ length: 3000 }, () => random.normal());
    const coarse = spread.map((logit) => Math.round(logit * 3)); // with many ties
    for (const logits of [spread, coarse, spread.toSorted(), spread.toSorted().reverse()])
      for (const topK of [1, 2, 17, 2999]) {
        const likeliest = Array.from(logits.keys())
          .sort((a, b) => logits[b] - logits[a] || a - b)
          .slice(0, topK);
        const allowed = new Set(likeliest);
        const sample = createTokenSampler({ ...PLAIN, temperature: 3, topK });
        const drawn = new Set(Array.from({ length: 200 }, () => sample(logits)));
        expect([...drawn].every((id) => allowed.has(id))).toBe(true);
        if (topK === 2) expect(drawn).toEqual(allowed);
      }
  });

  it("draws among the likeliest in whatever order the logits come", () => {
    const orders = (values: readonly number[]): number[][] =>
      values.length === 0
        ? [[]]
        : values.flatMap((value, at) => orders(values.toSpliced(at, 1)).map((rest) => [value, ...rest]));
    for (const logits of [...orders([1, 2, 3, 4, 5, 6]), ...orders([1, 1, 2, 2, 3])])
      for (let topK = 1; topK < logits.length; topK++) {
        const likeliest = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b).slice(0, topK);
        const sample = createTokenSampler({ ...PLAIN, temperature: 1e3, topK });
        for (let draw = 0; draw < 12; draw++) expect(likeliest).toContain(sample(Float32Array.from(logits)));
      }
  });

  it("divides the logits by the temperature", () => {
    expectDistribution({ temperature: 2.5 }, softmax(LOGITS, 2.5));
  });

  it("draws among the likeliest alone where topK says so, ties by the lower id", () => {
    // 0 and 3 are equally likely, and only one of them is among the four
    expectDistribution({ topK: 4 }, among(softmax(LOGITS, 1), [2, 4, 6, 0]));
    expectDistribution({ topK: 100 }, softmax(LOGITS, 1));
  });

  it("draws among the fewest likeliest that have topP's mass together", () => {
    const probabilities = softmax(LOGITS, 1);
    const two = probabilities[2] + probabilities[4];
    expectDistribution({ topP: two - 1e-6 }, among(probabilities, [2, 4]));
    expectDistribution({ topP: two + 1e-6 }, among(probabilities, [2, 4, 6]));
    expectDistribution({ topP: 1 }, probabilities);
  });

  it("takes topP's share of what temperature and topK have left", () => {
    const tempered = among(softmax(LOGITS, 0.7), [2, 4, 6, 0, 3]);
    const share = tempered[2] + tempered[4];
    expectDistribution({ temperature: 0.7, topK: 5, topP: share - 1e-6 }, among(tempered, [2, 4]));
  });

  it("takes no token more where some have just topP's share, and of equal ones the lower ids", () => {
    const sample = createTokenSampler({ ...PLAIN, topP: 0.5 });
    const drawn = new Set(Array.from({ length: 200 }, () => sample(new Float32Array(8))));
    expect([...drawn].sort()).toEqual([0, 1, 2, 3]);
  });

  it("always takes one token where topP is smaller than any token's mass", () => {
    const sample = createTokenSampler({ ...PLAIN, topP: 1e-9 });
    for (let draw = 0; draw < 50; draw++) expect(sample(LOGITS)).toBe(2);
  });

  it("takes the likeliest at temperature 0 and next to it, the lower id where two are equal", () => {
    const tied = Float32Array.of(-1, 4, 4, 3.9);
    for (const temperature of [0, 1e-300]) {
      const sample = createTokenSampler({ ...PLAIN, temperature, topK: 1 });
      for (let draw = 0; draw < 50; draw++) expect(sample(tied)).toBe(1);
    }
    expect(createTokenSampler({ ...PLAIN, temperature: 0 })(tied)).toBe(1);
  });

  it("draws the same for the same seed, and another row for another", () => {
    const draws = (seed: number) => {
      const sample = createTokenSampler({ ...PLAIN, seed });
      return Array.from({ length: 50 }, () => sample(LOGITS));
    };
    expect(draws(5)).toEqual(draws(5));
    expect(draws(5)).not.toEqual(draws(6));
  });
});

describe("the likeliest tokens", () => {
  it("come in descending order, of equal ones the lower id first, and at most so many", () => {
    const logits = Float32Array.of(0.5, 3, -2, 3, 7, 0.5, Number.NEGATIVE_INFINITY, 3);
    expect([...topTokens(logits, 8)]).toEqual([4, 1, 3, 7, 0, 5, 2, 6]);
    for (let count = 0; count <= 8; count++)
      expect([...topTokens(logits, count)]).toEqual([4, 1, 3, 7, 0, 5, 2, 6].slice(0, count));
    expect([...topTokens(logits, 20)]).toHaveLength(8);
  });

  it("are those that sorting gives, for many random rows", () => {
    const random = createRandom(3);
    for (let round = 0; round < 50; round++) {
      const logits = Float32Array.from({ length: 40 }, () => Math.round(random.next() * 20));
      const sorted = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
      for (const count of [1, 3, 20]) expect([...topTokens(logits, count)]).toEqual(sorted.slice(0, count));
    }
  });
});
