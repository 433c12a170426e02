import { describe, expect, it } from "@jest/globals";
import { keyMutex } from "../../../cli/src/local/key-mutex.ts";
import { places } from "../../../cli/src/local/places.ts";

describe("places", () => {
  it("are given in the order of asking, never more than there are, and a wait can be called off", async () => {
    const room = places(1);
    const signal = new AbortController().signal;
    const leave = await room.take(signal);
    const order: number[] = [];
    const quitter = new AbortController();
    const second = room.take(quitter.signal);
    const third = room.take(signal).then((give) => {
      order.push(3);
      return give;
    });
    quitter.abort(new Error("called off"));
    await expect(second).rejects.toThrow("called off");
    expect(order).toEqual([]);
    leave();
    leave(); // giving a place back twice gives one back
    const leaveThird = await third;
    const fourth = room.take(signal);
    await expect(Promise.race([fourth, Promise.resolve("waits")])).resolves.toBe("waits");
    leaveThird();
    await fourth;
  });
});

describe("a mutex by key", () => {
  it("lets one in at a time for a key, whether or not the one before failed", async () => {
    const alone = keyMutex();
    let inside = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
      throw new Error("failed");
    };
    const all = await Promise.allSettled([alone("k", work), alone("k", work), alone("k", work)]);
    expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await expect(Promise.all([alone("a", async () => alone("b", async () => 1))])).resolves.toEqual([1]);
  });
});
