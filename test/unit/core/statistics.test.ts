import { describe, expect, it } from "@jest/globals";
import { pairedDifference } from "../../../shared/src/core/statistics/paired-difference.ts";
import { spread } from "../../../shared/src/core/statistics/spread.ts";
import { studentT } from "../../../shared/src/core/statistics/student-t.ts";

describe("studentT", () => {
  // scipy 1.17.1: scipy.stats.t.ppf(0.975, n), scipy.stats.t.ppf(0.95, n)
  it.each([
    [1, 12.706204736174694, 6.313751514675037],
    [2, 4.302652729749462, 2.9199855803537242],
    [3, 3.1824463052837078, 2.3533634348018233],
    [4, 2.7764451051977934, 2.1318467863266495],
    [5, 2.5705818356363146, 2.0150483733330233],
    [9, 2.262157162798205, 1.833112932656237],
    [10, 2.228138851986274, 1.8124611228116756],
    [29, 2.045229642132703, 1.6991270265334972],
    [30, 2.0422724563012378, 1.697260886593957],
    [100, 1.9839715185235518, 1.6602343260853392],
    [999, 1.9623414611334493, 1.646380345427535],
  ])("is scipy's for %d degrees of freedom", (degreesOfFreedom, at975, at95) => {
    expect(studentT(0.975, degreesOfFreedom) / at975).toBeCloseTo(1, 12);
    expect(studentT(0.95, degreesOfFreedom) / at95).toBeCloseTo(1, 12);
  });

  it("is 0 in the middle", () => {
    expect(studentT(0.5, 1)).toBeCloseTo(0, 12);
    expect(studentT(0.5, 2)).toBeCloseTo(0, 12);
  });
});

describe("spread", () => {
  it("gives the mean and the sample's deviation", () => {
    expect(spread([1, 2, 3, 4])).toEqual({ mean: 2.5, deviation: Math.sqrt(5 / 3), count: 4 });
  });

  it("knows no deviation of a single value", () => {
    expect(spread([7])).toEqual({ mean: 7, deviation: null, count: 1 });
  });
});

describe("pairedDifference", () => {
  it("gives the mean difference with its interval by Student's t", () => {
    // scipy 1.17.1: ttest_rel([2.1, 3.9, 6.2, 8.4, 9.7], [1, 2, 3, 4, 5]).confidence_interval(0.95)
    const [low, high] = [1.1272272402615797, 4.99277275973842];
    const { mean, margin, count } = pairedDifference([2.1, 3.9, 6.2, 8.4, 9.7], [1, 2, 3, 4, 5]);
    expect(mean).toBeCloseTo((low! + high!) / 2, 12);
    expect(mean - margin!).toBeCloseTo(low!, 12);
    expect(mean + margin!).toBeCloseTo(high!, 12);
    expect(count).toBe(5);
  });

  it("knows no interval of a single pair", () => {
    expect(pairedDifference([1], [3])).toEqual({ mean: -2, margin: null, count: 1 });
  });

  it("refuses what is not paired, and no pairs at all", () => {
    const refused = (message: string) => expect.objectContaining({ code: "PAIRS_EXPECTED", message });
    expect(() => pairedDifference([1], [])).toThrow(refused("expected pairs, got 1 values and 0"));
    expect(() => pairedDifference([], [])).toThrow(refused("expected pairs, got 0 values and 0"));
  });
});
