import { describe, expect, it } from "@jest/globals";
import { taskTokens } from "../../../cli/src/local/task-tokens.ts";

const named = (name: string) => expect.objectContaining({ name });

describe("task tokens", () => {
  it("carry the answer to whoever waits, once", async () => {
    const tokens = taskTokens();
    const task = tokens.issue({});
    task.start();
    tokens.heartbeat(task.token);
    tokens.succeed(task.token, { done: true });
    expect(await task.answer).toEqual({ done: true });
    expect(() => tokens.succeed(task.token, {})).toThrow(named("TaskTimedOut"));
    expect(tokens.waiting()).toBe(0);
  });

  it("that never were issued are invalid, not late", () => {
    expect(() => taskTokens().heartbeat("nonsense")).toThrow(named("InvalidToken"));
  });

  it("fail by the error's own name", async () => {
    const tokens = taskTokens();
    const task = tokens.issue({});
    tokens.fail(task.token, "TransientError", "spot");
    await expect(task.answer).rejects.toMatchObject({ name: "TransientError", message: "spot" });
  });

  it("time out by heartbeat, which each heartbeat puts off, and by the whole, which nothing puts off", async () => {
    const tokens = taskTokens();
    const beating = tokens.issue({ heartbeatSeconds: 0.2, timeoutSeconds: 0.6 });
    const silent = tokens.issue({ heartbeatSeconds: 0.2, timeoutSeconds: 0.6 });
    beating.start();
    silent.start();
    let over = false;
    const timer = setInterval(() => {
      if (tokens.waiting() > 0 && !over) tokens.heartbeat(beating.token);
    }, 50);
    beating.answer.catch(() => {
      over = true;
    });
    await expect(silent.answer).rejects.toMatchObject({ name: "States.HeartbeatTimeout" });
    expect(() => tokens.heartbeat(silent.token)).toThrow(named("TaskTimedOut"));
    expect(tokens.waiting()).toBe(1);
    await expect(beating.answer).rejects.toMatchObject({ name: "States.Timeout" });
    clearInterval(timer);
  });

  it("of tasks that have not started do not run out", async () => {
    const tokens = taskTokens();
    tokens.issue({ heartbeatSeconds: 0.05, timeoutSeconds: 0.05 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(tokens.waiting()).toBe(1);
  });

  it("keep time-outs that are longer than a timer can be from firing at once", async () => {
    const tokens = taskTokens();
    const task = tokens.issue({ timeoutSeconds: 99_999_999 });
    task.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(tokens.waiting()).toBe(1);
    task.fail("States.TaskFailed", "over");
    await expect(task.answer).rejects.toThrow("over");
  });
});
