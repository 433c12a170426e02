import { describe, expect, it } from "@jest/globals";
import { type LogitChangeOptions, LogitChanges } from "../../../shared/src/core/numeric/logit-changes.ts";

const LOGITS = Float32Array.of(1, 2, 3, 4);

function changed(options: LogitChangeOptions, generated: readonly number[] = []): number[] {
  const changes = new LogitChanges(options);
  for (const id of generated) changes.count(id);
  return [...changes.apply(LOGITS)];
}

describe("what is changed about a text's logits", () => {
  it("is a bias of some tokens, each by its own", () => {
    const bias = [
      { id: 0, bias: 100 },
      { id: 3, bias: -2.5 },
    ];
    expect(changed({ bias })).toEqual([101, 2, 3, 1.5]);
  });

  it("is a penalty for tokens that have come, once, or once for each time", () => {
    expect(changed({ presencePenalty: 0.5 }, [1, 1, 1, 2])).toEqual([1, 1.5, 2.5, 4]);
    expect(changed({ frequencyPenalty: 0.5 }, [1, 1, 1, 2])).toEqual([1, 0.5, 2.5, 4]);
    expect(changed({ presencePenalty: 1, frequencyPenalty: -0.5 }, [1, 1])).toEqual([1, 2, 3, 4]);
    expect(changed({ presencePenalty: -1, bias: [{ id: 1, bias: 3 }] }, [1])).toEqual([1, 6, 3, 4]);
  });

  it("leaves the model's own logits as they are", () => {
    changed({ bias: [{ id: 0, bias: 1 }], presencePenalty: 1 }, [1]);
    expect([...LOGITS]).toEqual([1, 2, 3, 4]);
  });

  it("is nothing where there is neither a bias nor a penalty", () => {
    expect(changed({}, [1, 1])).toEqual([...LOGITS]);
    expect(new LogitChanges({}).isNothing).toBe(true);
    expect(new LogitChanges({ bias: [], presencePenalty: 0, frequencyPenalty: 0 }).isNothing).toBe(true);
    for (const options of [{ bias: [{ id: 0, bias: 0 }] }, { presencePenalty: 1 }, { frequencyPenalty: -1 }])
      expect(new LogitChanges(options).isNothing).toBe(false);
  });
});
