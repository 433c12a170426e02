import { describe, expect, it } from "@jest/globals";
import { countShared } from "../../../shared/src/core/samples/shared-samples.ts";

const sample = (...bytes: number[]) => ({ id: Uint8Array.from(bytes) });

describe("samples that two sets share", () => {
  it("are counted by what they say, not by which object says it", () => {
    expect(countShared([sample(1, 2), sample(3, 4), sample(5, 6)], [sample(5, 6), sample(1, 2), sample(9, 9)])).toBe(2);
  });

  it("are none where either set is empty, or all differ in a byte", () => {
    expect(countShared([], [sample(1)])).toBe(0);
    expect(countShared([sample(1)], [])).toBe(0);
    expect(countShared([sample(1, 2)], [sample(1, 3), sample(2, 1)])).toBe(0);
  });

  it("count each of the first set's samples, however often the other has them", () => {
    expect(countShared([sample(1)], [sample(1), sample(1)])).toBe(1);
    expect(countShared([sample(1), sample(1)], [sample(1)])).toBe(2);
  });
});
