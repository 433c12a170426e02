import { describe, expect, it } from "@jest/globals";
import { averageWeights } from "../../../shared/src/core/distillation/average-weights.ts";

const adapter = (weight: number, tensors: Record<string, number[]>) => ({
  weight,
  tensors: new Map(Object.entries(tensors).map(([name, values]) => [name, Float32Array.from(values)])),
});

describe("averageWeights", () => {
  it("weighs adapters by their samples", () => {
    const averaged = averageWeights([adapter(1, { a: [0, 4], b: [1] }), adapter(3, { b: [1], a: [4, 0] })]);
    expect([...averaged]).toEqual([
      ["a", Float32Array.of(3, 1)],
      ["b", Float32Array.of(1)],
    ]);
  });

  it("gives a single adapter back bit for bit", () => {
    const values = [0.1, -1e-30, 3.4e38, 1 / 3];
    expect(averageWeights([adapter(7, { a: values })]).get("a")).toEqual(Float32Array.from(values));
  });

  it("does not lose small weights beside large ones, as sums in float32 would", () => {
    const averaged = averageWeights(Array.from({ length: 5000 }, () => adapter(1e5, { a: [0.1] })));
    expect(averaged.get("a")![0]).toBe(Math.fround(0.1));
  });

  it("refuses adapters of other shapes or names", () => {
    expect(() => averageWeights([adapter(1, { a: [1] }), adapter(1, { a: [1, 2] })])).toThrow(
      expect.objectContaining({
        code: "ADAPTERS_DIFFER",
        message: expect.stringMatching(/adapter 1, a: expected 1 .* got 2/),
      }),
    );
    expect(() => averageWeights([adapter(1, { a: [1] }), adapter(1, { a: [1], c: [1] })])).toThrow(/c: expected no/);
    expect(() => averageWeights([adapter(1, { a: [1] }), adapter(1, {})])).toThrow(/got none/);
  });

  it("leaves out an adapter without weight", () => {
    expect([...averageWeights([adapter(0, { a: [9] }), adapter(2, { a: [3] })]).get("a")!]).toEqual([3]);
  });

  it("refuses weights that average nothing", () => {
    expect(() => averageWeights([adapter(-1, { a: [1] }), adapter(2, { a: [1] })])).toThrow(
      "expected weights of at least 0 with a positive sum, got -1, 2",
    );
    for (const weights of [[], [0, 0], [-1, 2], [Number.NaN]])
      expect(() => averageWeights(weights.map((weight) => adapter(weight, { a: [1] })))).toThrow(
        expect.objectContaining({ code: "ADAPTER_WEIGHTS" }),
      );
  });
});
