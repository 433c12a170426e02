import { describe, expect, it } from "@jest/globals";
import {
  countRoundStates,
  countRun,
  countRunStates,
  type MachineSize,
} from "../../../../shared/src/core/cost/machine-states.ts";

// test/cdk/history.test.ts holds the same numbers to the machines themselves
const SIZE: MachineSize = { rounds: 2, clients: 2, shards: 2, maps: 3, baselines: 1, averages: false };

describe("the states of a run's machines, counted by hand", () => {
  it("are in the run: its beginning, a map each, a baseline each, two a round and one between, its end", () => {
    expect(countRunStates(SIZE)).toEqual({
      transitions: 5 + (1 + 3) + (1 + 2) + 2 * 2 + 1 + 2,
      events: 13 + (4 + 3 * 7) + (4 + 10) + 2 * 8 + 2 + 7 + 2,
    });
  });

  it("are in a round: a job a client before and after the server's, and two transfers a client and shard", () => {
    const later = {
      transitions: 1 + 1 + (1 + 4) + 2 + (1 + 4) + 1 + 1 + (1 + 4) + (1 + 2 * 3) + 1 + (1 + 3 * 2) + 1,
      events: 2 + 2 + 4 + (4 + 20) + 4 + (4 + 32) + 5 + 6 + (4 + 32) + (4 + 30) + 2 + (4 + 30) + 5,
    };
    expect(countRoundStates(SIZE, false)).toEqual(later);
    // a task that waits instead of a state that passes
    expect(countRoundStates(SIZE, true)).toEqual({ ...later, events: later.events + 4 });
  });

  it("are one more in a round that averages adapters: a function", () => {
    const { transitions, events } = countRoundStates(SIZE, false);
    expect(countRoundStates({ ...SIZE, averages: true }, false)).toEqual({
      transitions: transitions + 1,
      events: events + 5,
    });
  });

  it("are together those of the run, of its first round, and of all later ones", () => {
    const [run, first, later] = [countRunStates(SIZE), countRoundStates(SIZE, true), countRoundStates(SIZE, false)];
    expect(countRun(SIZE)).toEqual({
      transitions: run.transitions + first.transitions + later.transitions,
      events: run.events + first.events + later.events,
      longestHistory: first.events,
    });
    const long = { ...SIZE, rounds: 100 };
    expect(countRun(long).longestHistory).toBe(countRunStates(long).events);
  });
});
