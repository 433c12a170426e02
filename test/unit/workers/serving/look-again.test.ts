import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { lookAgain } from "../../../../gpu-workers/src/serving/look-again.ts";

const LOOK_MS = 2;

describe("looking again", () => {
  it("goes on until it is ended", async () => {
    let looks = 0;
    const end = lookAgain(async () => void looks++, LOOK_MS);
    while (looks < 3) await sleep(LOOK_MS);
    end();
    const seen = looks;
    await sleep(10 * LOOK_MS);
    expect(looks).toBe(seen);
  });

  it("never begins before the look before has ended, whose signal comes with the end", async () => {
    const signals: AbortSignal[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = lookAgain((signal) => {
      signals.push(signal);
      return signals.length === 1 ? promise : Promise.resolve();
    }, LOOK_MS);
    await sleep(10 * LOOK_MS);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    resolve();
    while (signals.length < 3) await sleep(LOOK_MS);
    end();
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });
});
