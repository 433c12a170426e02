import { describe, expect, it } from "@jest/globals";
import {
  countRoundStates,
  countRun,
  countRunStates,
  type MachineSize,
  type RoundStates,
} from "../../../../shared/src/core/cost/machine-states.ts";

// test/cdk/history.test.ts holds the same numbers to the machines themselves
const LATER: RoundStates = {
  ...{ clients: 2, parties: 3, toServer: 4, toClients: 4 },
  ...{ direction: "both", averages: false, begun: false, extracts: false },
};
const FIRST: RoundStates = { ...LATER, extracts: true };
const SIZE: MachineSize = { maps: 3, baselines: 1, rounds: [FIRST, LATER] };

describe("the states of a run's machines, counted by hand", () => {
  it("are in the run: its beginning, a map each, a baseline each, two a round, its end", () => {
    expect(countRunStates(SIZE)).toEqual({
      transitions: 5 + (1 + 3) + (1 + 2) + 1 + 2 * 2 + 2,
      events: 13 + (4 + 3 * 7) + (4 + 10) + 2 + 2 * 8 + 7 + 2,
    });
  });

  it("are in a round: a job a client before and after the server's, and two transfers a client and shard", () => {
    const later = {
      transitions: 2 + 1 + (1 + 4) + 2 + 1 + (1 + 4) + 1 + 1 + (1 + 4) + (1 + 2 * 4) + 1 + (1 + 3 * 2) + 1,
      events: 2 + 4 + 4 + (4 + 20) + 4 + 2 + (4 + 32) + 5 + 6 + (4 + 32) + (4 + 34) + 2 + (4 + 30) + 5,
    };
    expect(countRoundStates(LATER)).toEqual(later);
    // a task that waits instead of a state that passes
    expect(countRoundStates(FIRST)).toEqual({ ...later, events: later.events + 4 });
  });

  it("are one more in a round that averages adapters: a function", () => {
    const { transitions, events } = countRoundStates(LATER);
    expect(countRoundStates({ ...LATER, averages: true })).toEqual({
      transitions: transitions + 1,
      events: events + 5,
    });
  });

  it("are fewer in a round that was begun elsewhere: both branches of its beginning", () => {
    const { transitions, events } = countRoundStates(LATER);
    expect(countRoundStates({ ...LATER, begun: true })).toEqual({
      transitions: transitions - (1 + (1 + 4) + 2),
      events: events - (4 + (4 + 20) + 4),
    });
  });

  it("are fewer where the server does not learn: its transfers, its selection and its job", () => {
    const { transitions, events } = countRoundStates(LATER);
    expect(countRoundStates({ ...LATER, direction: "to-clients", toServer: 0 })).toEqual({
      transitions: transitions - (1 + 4 + 1 + 1),
      events: events - (4 + 32 + 5 + 6),
    });
  });

  it("are fewer still where nobody does: transfers and selections of clients", () => {
    const { transitions, events } = countRoundStates({ ...LATER, direction: "to-clients", toServer: 0 });
    expect(countRoundStates({ ...LATER, direction: "none", toServer: 0, toClients: 0 })).toEqual({
      transitions: transitions - 4 - 2,
      events: events - 32 - 2 * 5,
    });
  });

  it("are together those of the run and of all its rounds", () => {
    const [run, first, later] = [countRunStates(SIZE), countRoundStates(FIRST), countRoundStates(LATER)];
    expect(countRun(SIZE)).toEqual({
      transitions: run.transitions + first.transitions + later.transitions,
      events: run.events + first.events + later.events,
      longestHistory: first.events,
    });
    const long = { ...SIZE, rounds: Array.from({ length: 100 }, () => LATER) };
    expect(countRun(long).longestHistory).toBe(countRunStates(long).events);
  });
});
