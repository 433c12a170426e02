import { describe, expect, it } from "@jest/globals";
import { AdapterStack, stackNames } from "../../../shared/src/engine/adapter-stack.ts";
import type { LinearSpec } from "../../../shared/src/engine/layers/layer-context.ts";
import { STACK_SCALE } from "../../../shared/src/engine/layers/linear-with-lora.ts";
import type { RunTimeAdapter } from "../../../shared/src/engine/run-time-adapter.ts";

const linear = (name: string, inner: number, out: number): LinearSpec => ({
  name,
  in: inner,
  out,
  bias: false,
  layout: "out-in",
});
const LINEARS = [linear("first", 2, 1), linear("second", 1, 3)];

/** Every element of A is the mark, of B minus the mark. */
function adapter(mark: number, rank: number, names: readonly string[]): RunTimeAdapter {
  const layers = LINEARS.filter(({ name }) => names.includes(name)).map(
    ({ name, in: inner, out }) =>
      [
        name,
        { down: new Float32Array(rank * inner).fill(mark), up: new Float32Array(rank * out).fill(-mark) },
      ] as const,
  );
  return { rank, scale: mark / 10 / STACK_SCALE, layers: new Map(layers) };
}

const A = adapter(1, 1, ["first", "second"]);
const B = adapter(2, 2, ["second"]);
const C = adapter(3, 1, ["first"]);

describe("adapters that share a run", () => {
  it("lie one below the other in each layer, and each row has scales for its own alone", () => {
    const feeds = new AdapterStack(LINEARS).feeds([A, null, B, A]);
    const first = stackNames("first");
    expect(feeds[first.down]).toEqual({ data: Float32Array.of(1, 1), shape: [1, 2] });
    expect(feeds[first.up]).toEqual({ data: Float32Array.of(-1), shape: [1, 1] });
    expect(feeds[first.scales]).toEqual({ data: Float32Array.of(0.1, 0, 0, 0.1), shape: [4, 1] });
    const second = stackNames("second");
    expect(feeds[second.down]).toEqual({ data: Float32Array.of(1, 2, 2), shape: [3, 1] });
    expect(feeds[second.up]).toEqual({ data: Float32Array.of(-1, -1, -1, -2, -2, -2, -2, -2, -2), shape: [3, 3] });
    expect(feeds[second.scales]).toEqual({
      data: Float32Array.of(0.1, 0, 0, 0, 0, 0, 0, 0.2, 0.2, 0.1, 0, 0),
      shape: [4, 3],
    });
  });

  it("are not copied where one is alone", () => {
    const feeds = new AdapterStack(LINEARS).feeds([C, C]);
    expect(feeds[stackNames("first").down].data).toBe(C.layers.get("first")!.down);
    expect(feeds[stackNames("second").down].shape).toEqual([0, 1]);
    expect(feeds[stackNames("second").scales].shape).toEqual([2, 0]);
  });

  it("stay as they lie while they are most of what is used, and are the same feeds for the same rows", () => {
    const stack = new AdapterStack(LINEARS);
    const three = stack.feeds([A, B, C]);
    expect(stack.feeds([A, B, C])).toBe(three);
    const { down } = stackNames("second");
    expect(stack.feeds([B, A])[down]).toBe(three[down]);
    expect(stack.feeds([B, A])[stackNames("second").scales].data).toEqual(Float32Array.of(0, 0.2, 0.2, 0.1, 0, 0));
    // one alone is computed as if there never was another, so that its sums are always the same
    expect(stack.feeds([B])[down].data).toBe(B.layers.get("second")!.down);
    expect(stack.feeds([null])[down].shape).toEqual([0, 1]);
    // A and C have half of the ranks
    expect(stack.feeds([A, B, C])[down].shape).toEqual([3, 1]);
    expect(stack.feeds([A, C])[down].shape).toEqual([3, 1]);
    const many = adapter(4, 9, ["second"]);
    expect(stack.feeds([A, C, many])[down].shape).toEqual([10, 1]);
    expect(stack.feeds([A, C])[down].shape).toEqual([1, 1]);
  });
});
