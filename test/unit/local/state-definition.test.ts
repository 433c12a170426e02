import { describe, expect, it } from "@jest/globals";
import { CONTEXT_MARKS, fillIn, interpretable, tasksOf } from "../../../cli/src/local/state-definition.ts";

const task = { Type: "Task", Resource: "r", TimeoutSeconds: 5, ResultPath: "$", End: true };
const definition = {
  StartAt: "All",
  TimeoutSeconds: 30 * 24 * 3600,
  States: {
    All: { Type: "Map", ItemProcessor: { StartAt: "Inner", States: { Inner: task } }, Next: "Both" },
    Both: { Type: "Parallel", Branches: [{ StartAt: "Left", States: { Left: task } }], Next: "Last" },
    Last: task,
  },
};

describe("a definition for the interpreter", () => {
  it("has no ResultPath of $, no time-out of its own on tasks, and none that a timer cannot hold", () => {
    const read = interpretable(definition);
    expect(read.TimeoutSeconds).toBeLessThan(2 ** 31 / 1000);
    for (const { state } of tasksOf(read)) {
      expect(state).not.toHaveProperty("ResultPath");
      expect(state.TimeoutSeconds).toBeGreaterThan(2_000_000);
    }
    expect(definition.States.Last.TimeoutSeconds).toBe(5);
  });

  it("gives all tasks with the outermost state around them", () => {
    expect(tasksOf(definition).map(({ name, within }) => [name, within])).toEqual([
      ["Inner", "All"],
      ["Left", "Both"],
      ["Last", null],
    ]);
  });
});

describe("filling in what the context object lacks", () => {
  it("puts token, name and retry count in their place, also inside texts", () => {
    const { Task, State } = CONTEXT_MARKS;
    const parameters = {
      token: Task.Token,
      count: State.RetryCount,
      json: JSON.stringify({ t: Task.Token, n: State.RetryCount }),
      list: [State.Name],
      other: 1,
    };
    const values = { token: "T", retryCount: 2, name: "Train", enteredTime: "now" };
    expect(fillIn(parameters, values)).toEqual({
      token: "T",
      count: 2,
      json: '{"t":"T","n":2}',
      list: ["Train"],
      other: 1,
    });
  });
});
