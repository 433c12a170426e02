import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { FairQueue } from "../../../../shared/src/core/serving/fair-queue.ts";

/** A queue whose clock is set by hand, and what became of everyone by name. */
function open(concurrent: number, queued: number) {
  const queue = new FairQueue({ concurrent, queued });
  const events: string[] = [];
  const leave = new Map<string, () => void>();
  let nowMs = 0;
  return {
    queue,
    events,
    at: (ms: number) => {
      nowMs = ms;
    },
    join: (name: string, places = 1) => {
      const left = queue.join(
        {
          key: name[0],
          places,
          onTurn: (waitedMs) => events.push(`${name} after ${waitedMs}`),
          onRefused: (seconds) => events.push(`${name} refused for ${seconds}`),
        },
        nowMs,
      );
      leave.set(name, () => left(nowMs));
    },
    leave: (name: string) => leave.get(name)!(),
    /** what happened since it was last asked */
    seen: () => events.splice(0),
  };
}

describe("the fair queue", () => {
  it("lets as many at work as there are places, and the others wait for their turn", () => {
    const { queue, join, leave, at, seen } = open(2, 9);
    for (const name of ["a1", "a2", "a3"]) join(name);
    expect(seen()).toEqual(["a1 after 0", "a2 after 0"]);
    expect(queue.state).toEqual({ running: 2, waiting: 1 });
    at(30);
    leave("a2");
    expect(seen()).toEqual(["a3 after 30"]);
    expect(queue.state).toEqual({ running: 2, waiting: 0 });
    leave("a1");
    leave("a3");
    expect(queue.state).toEqual({ running: 0, waiting: 0 });
  });

  it("gives turns round the keys, and within a key in the order of coming", () => {
    const { join, leave, seen } = open(1, 9);
    for (const name of ["a1", "a2", "a3", "b1", "b2", "c1"]) join(name);
    for (const name of ["a1", "a2", "b1", "c1", "a3"]) leave(name);
    expect(seen().map((event) => event.slice(0, 2))).toEqual(["a1", "a2", "b1", "c1", "a3", "b2"]);
  });

  it("puts a key that has nobody left in line behind the others when it comes again", () => {
    const { join, leave, seen } = open(1, 9);
    for (const name of ["a1", "b1", "c1"]) join(name);
    leave("a1");
    join("b2");
    leave("b1");
    leave("c1");
    expect(seen().map((event) => event.slice(0, 2))).toEqual(["a1", "b1", "c1", "b2"]);
  });

  it("counts an entrant by its places, and lets nobody overtake one that needs more", () => {
    const { join, leave, seen } = open(4, 9);
    join("a1", 3);
    join("b1", 2);
    join("c1", 1);
    expect(seen()).toEqual(["a1 after 0"]);
    leave("a1");
    expect(seen()).toEqual(["b1 after 0", "c1 after 0"]);
  });

  it("takes an entrant with more places than there are once all are free", () => {
    const { join, leave, seen } = open(4, 9);
    join("a1");
    join("b1", 128);
    expect(seen()).toEqual(["a1 after 0"]);
    leave("a1");
    expect(seen()).toEqual(["b1 after 0"]);
    leave("b1");
    join("c1", 4);
    expect(seen()).toEqual(["c1 after 0"]);
  });

  it("refuses the newcomer where its own line is among the longest", () => {
    const { queue, join, seen } = open(1, 2);
    for (const name of ["a1", "a2", "b1", "b2"]) join(name);
    expect(seen()).toEqual(["a1 after 0", "b2 refused for 1"]);
    expect(queue.state).toEqual({ running: 1, waiting: 2 });
  });

  it("refuses the newcomer where another's line, whose turn is later, is as long", () => {
    const { join, seen } = open(1, 3);
    for (const name of ["a1", "a2", "b1", "b2", "a3"]) join(name);
    expect(seen()).toEqual(["a1 after 0", "a3 refused for 1"]);
  });

  it("refuses the newest of the longest line for one whose own is shorter", () => {
    const { join, leave, seen } = open(1, 3);
    for (const name of ["a1", "a2", "a3", "a4", "b1", "c1"]) join(name);
    expect(seen()).toEqual(["a1 after 0", "a4 refused for 1", "a3 refused for 1"]);
    for (const name of ["a3", "a4"]) leave(name);
    for (const name of ["a1", "a2", "b1"]) leave(name);
    expect(seen().map((event) => event.slice(0, 2))).toEqual(["a2", "b1", "c1"]);
  });

  it("refuses at once where nobody may wait, and only while all places are taken", () => {
    const { join, leave, seen } = open(1, 0);
    join("a1");
    join("b1");
    leave("a1");
    join("b2");
    expect(seen()).toEqual(["a1 after 0", "b1 refused for 1", "b2 after 0"]);
  });

  it("says to come again when the line is worked off at the pace of late", () => {
    const { join, leave, at, seen } = open(2, 2);
    join("a1");
    join("b1");
    at(16_000);
    leave("a1");
    leave("b1");
    join("a2");
    join("b2");
    join("c1", 2);
    join("c2");
    join("c3");
    // two places' worth of c1 and one of c2 wait, at 16 s each, two at a time
    expect(seen().at(-1)).toBe("c3 refused for 24");
    at(24_000);
    leave("a2");
    join("d1");
    // the mean of 16 and 8 seconds, an eighth of it the newer: 15 seconds; c1 needs both places and waits
    expect(seen()).toEqual(["c2 refused for 23"]);
  });

  it("reckons the pace by what was at work, and not by what waited before", () => {
    const { join, leave, at, seen } = open(1, 1);
    for (const name of ["a1", "a2"]) join(name);
    at(10_000);
    leave("a1");
    at(14_000);
    leave("a2");
    for (const name of ["a3", "a4", "a5"]) join(name);
    // the mean of 10 and 4 seconds, an eighth of it the newer: 9.25 seconds
    expect(seen().at(-1)).toBe("a5 refused for 10");
  });

  it("never sends anyone away for longer than a minute", () => {
    const { join, leave, at, seen } = open(1, 1);
    join("a1");
    at(3_600_000);
    leave("a1");
    for (const name of ["a2", "a3", "a4"]) join(name);
    expect(seen().at(-1)).toBe("a4 refused for 60");
  });

  it("forgets whoever leaves the line, and turns to the next", () => {
    const { queue, join, leave, seen } = open(2, 9);
    join("a1");
    join("b1", 2);
    join("c1");
    leave("b1");
    expect(seen()).toEqual(["a1 after 0", "c1 after 0"]);
    expect(queue.state).toEqual({ running: 2, waiting: 0 });
  });

  it("hears once that somebody left", () => {
    const { queue, join, leave, seen } = open(1, 9);
    for (const name of ["a1", "a2", "a3"]) join(name);
    leave("a1");
    leave("a1");
    expect(seen()).toEqual(["a1 after 0", "a2 after 0"]);
    expect(queue.state).toEqual({ running: 1, waiting: 1 });
  });

  it("keeps its promises whatever comes and goes", () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      places: fc.integer({ min: 1, max: 5 }),
      leaves: fc.nat(40),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.nat(5),
        fc.array(step, { maxLength: 60 }),
        (concurrent, queued, steps) => {
          const queue = new FairQueue({ concurrent, queued });
          const all: { places: number; state: "waiting" | "running" | "refused" | "left"; leave: () => void }[] = [];
          for (const { key, places, leaves } of steps) {
            const one = {
              places: Math.min(places, concurrent),
              state: "waiting" as (typeof all)[0]["state"],
              leave: () => {},
            };
            all.push(one);
            const leave = queue.join(
              {
                key,
                places,
                onTurn: () => {
                  expect(one.state).toBe("waiting");
                  one.state = "running";
                },
                onRefused: () => {
                  expect(one.state).toBe("waiting");
                  one.state = "refused";
                },
              },
              0,
            );
            one.leave = () => {
              if (one.state !== "refused") one.state = "left";
              leave(0);
            };
            if (leaves < all.length) all[leaves].leave();
            const running = all.filter(({ state }) => state === "running");
            const waiting = all.filter(({ state }) => state === "waiting");
            expect(running.reduce((sum, { places: taken }) => sum + taken, 0)).toBeLessThanOrEqual(concurrent);
            expect(waiting.length).toBeLessThanOrEqual(queued);
            expect(queue.state).toEqual({ running: running.length, waiting: waiting.length });
          }
          for (const one of all) one.leave();
          for (const one of all) if (one.state === "running" || one.state === "waiting") one.leave();
          expect(queue.state).toEqual({ running: 0, waiting: 0 });
        },
      ),
    );
  });
});
