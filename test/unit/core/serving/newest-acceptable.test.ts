import { describe, expect, it } from "@jest/globals";
import { newestAcceptable } from "../../../../shared/src/core/serving/newest-acceptable.ts";

const scored = (name: string, losses: Record<string, number> = {}) => ({
  name,
  losses: new Map(Object.entries(losses)),
});

/** Which one is served, and who is held back behind whom. */
function outcome(adapters: ReturnType<typeof scored>[], tolerance = 0) {
  const { accepted, heldBack } = newestAcceptable(adapters, tolerance);
  return [accepted?.name, heldBack.map(({ adapter, behind }) => `${adapter.name} behind ${behind.name}`)];
}

describe("which of a party's adapters is served", () => {
  it("is none where there is none", () => {
    expect(newestAcceptable([], 0)).toEqual({ accepted: null, heldBack: [] });
  });

  it("is the only one, whatever its loss", () => {
    expect(outcome([scored("a", { texts: 9 })])).toEqual(["a", []]);
  });

  it("is the newest of those that got better", () => {
    expect(outcome([scored("a", { texts: 2 }), scored("b", { texts: 1.9 })])).toEqual(["b", []]);
  });

  it("is the newest also where it is as good as the one before, or worse by just the tolerance", () => {
    expect(outcome([scored("a", { texts: 2 }), scored("b", { texts: 2 })])).toEqual(["b", []]);
    expect(outcome([scored("a", { texts: 2 }), scored("b", { texts: 2.25 })], 0.25)).toEqual(["b", []]);
  });

  it("is the one before where the newer one is worse", () => {
    expect(outcome([scored("a", { texts: 2 }), scored("b", { texts: 2.25 })])).toEqual(["a", ["b behind a"]]);
    expect(outcome([scored("a", { texts: 2 }), scored("b", { texts: 2.26 })], 0.25)).toEqual(["a", ["b behind a"]]);
  });

  it("is held against the one that is served, not against those that were held back", () => {
    const adapters = [scored("a", { texts: 2 }), scored("b", { texts: 3 }), scored("c", { texts: 2.5 })];
    expect(outcome(adapters)).toEqual(["a", ["b behind a", "c behind a"]]);
    expect(outcome([...adapters, scored("d", { texts: 1 })])).toEqual(["d", ["b behind a", "c behind a"]]);
  });

  it("is what it would be had an adapter never been, once that is gone", () => {
    const [a, b, c] = [scored("a", { texts: 2 }), scored("b", { texts: 1 }), scored("c", { texts: 1.5 })];
    expect(outcome([a, b, c])).toEqual(["b", ["c behind b"]]);
    expect(outcome([a, c])).toEqual(["c", []]);
    expect(outcome([a])).toEqual(["a", []]);
  });

  it("is decided by the mean over the sets that both were scored on, and by no other set", () => {
    const before = scored("a", { texts: 2, notes: 4, gone: 0 });
    expect(newestAcceptable([before, scored("b", { texts: 3, notes: 3.5, added: 0 })], 0).heldBack[0]).toMatchObject({
      sets: 2,
      loss: 3.25,
      lossBefore: 3,
    });
    expect(outcome([before, scored("b", { texts: 3, notes: 2.5, added: 99 })])).toEqual(["b", []]);
  });

  it("is the newest where no set tells", () => {
    expect(outcome([scored("a", { texts: 1 }), scored("b", { others: 9 })])).toEqual(["b", []]);
    expect(outcome([scored("a", { texts: 1 }), scored("b")])).toEqual(["b", []]);
  });
});
