import { describe, expect, it } from "@jest/globals";
import { FairQueue } from "../../../../shared/src/core/serving/fair-queue.ts";

describe("how busy the fair queue's places are", () => {
  it("counts places, not requests: one may ask for several answers", () => {
    const queue = new FairQueue({ concurrent: 4, queued: 9 });
    const join = (places: number) => queue.join({ key: "a", places, onTurn: () => {}, onRefused: () => {} }, 0);
    expect(queue.busyShare).toBe(0);
    const leave = join(3);
    expect(queue.busyShare).toBe(0.75);
    join(9);
    expect(queue.busyShare).toBe(0.75);
    leave(1);
    expect(queue.busyShare).toBe(1);
  });
});
