import { describe, expect, it } from "@jest/globals";
import { type MaskSpec, maskValues, wholeText } from "../../../shared/src/engine/layers/attention-mask.ts";

const SHAPE = { heads: 4, keyValueHeads: 2, headSize: 2 };
const TOKENS = 9;
const SLOPES = [0.5, 0.25, 0.125, 0.0625];
const masks: [string, MaskSpec][] = [
  ["a causal mask", { window: null, slopes: null }],
  ["a mask with a window", { window: 3, slopes: null }],
  ["a mask with slopes", { window: null, slopes: SLOPES }],
  ["a mask with a window and slopes", { window: 4, slopes: SLOPES }],
];

describe("the mask of a text's part", () => {
  it.each(masks)("shows each query what the whole text's does: %s", (_name, spec) => {
    const whole = maskValues(spec, SHAPE, wholeText(TOKENS));
    const groups = whole.length / TOKENS / TOKENS;
    for (const [tokens, first, slots] of [
      [1, 0, 5],
      [1, 8, 8],
      [2, 5, 7],
      [4, 3, 16],
      [6, 1, 1],
    ]) {
      const keys = slots + tokens;
      const part = maskValues(spec, SHAPE, { tokens, first, slots });
      expect(part).toHaveLength(groups * tokens * keys);
      for (let group = 0; group < groups; group++)
        for (let token = 0; token < tokens; token++) {
          const row = part.subarray((group * tokens + token) * keys, (group * tokens + token + 1) * keys);
          const begin = (group * TOKENS + first + token) * TOKENS;
          expect([...row.subarray(0, first), ...row.subarray(slots)]).toEqual([
            ...whole.subarray(begin, begin + first + tokens),
          ]);
          expect([...row.subarray(first, slots)].every((value) => value < -1e37)).toBe(true);
        }
    }
  });
});
