import { describe, expect, it } from "@jest/globals";
import { CONTEXT_MARKS, interpretable, putToken, tasksOf } from "../../../cli/src/local/state-definition.ts";

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

describe("the token of a task", () => {
  it("is put in its place, also inside texts", () => {
    const { Token } = CONTEXT_MARKS.Task;
    const parameters = { token: Token, json: JSON.stringify({ t: Token }), list: [Token], other: 1 };
    expect(putToken(parameters, "T")).toEqual({ token: "T", json: '{"t":"T"}', list: ["T"], other: 1 });
  });
});
