import { describe, expect, it } from "@jest/globals";
import { showTask } from "../../../cli/src/progress/show-task.ts";

function display(isTTY: boolean, json = false, columns = 90) {
  const clock = { ms: 0 };
  let written = "";
  const stderr = {
    isTTY,
    columns,
    write: (text: string) => {
      written += text;
    },
  };
  const shown = showTask({ io: { stderr }, json, clockMs: () => clock.ms, residentBytes: () => 1.5 * 1024 ** 3 });
  const training = (done: number) =>
    shown.take({ phase: "training", done, of: 100, unit: "steps", lossNats: 2.3456, tokensPerSecond: 812.4 });
  return { clock, shown, training, taken: () => written.split("\u001b[2K").at(-1)!, written: () => written };
}

describe("the progress of one piece of work", () => {
  it("is a live line on a terminal: bar, step, loss, speed, memory, time left", () => {
    const { clock, training, taken } = display(true);
    training(10);
    clock.ms = 20_000;
    training(30);
    // twenty steps in twenty seconds, seventy to go
    expect(taken()).toBe("training █████░░░░░░░░░░░ 30/100  loss 2.346  812 tokens/s  1.5 GiB  1:10 left");
  });

  it.each([
    [78, "training █████░░░░░░░░░░ 30/100  loss 2.346  812 tokens/s  1.5 GiB  1:10 left"],
    [64, "training 30/100  loss 2.346  812 tokens/s  1.5 GiB  1:10 left"],
    [0, "training █████░░░░░░░░░░░ 30/100  loss 2.346  812 tokens/s  1.5 GiB  1:10 left"],
    [30, "training 30/100  loss 2.346  "],
  ])("gives up the bar before a figure where a terminal has %i columns (0: it does not know)", (columns, line) => {
    const { clock, training, taken } = display(true, false, columns);
    training(10);
    clock.ms = 20_000;
    training(30);
    expect(taken()).toBe(line);
  });

  it("is painted ten times a second at most, but always at the end", () => {
    const { clock, training, written } = display(true);
    training(1);
    clock.ms = 99;
    training(2);
    expect(written()).not.toContain("2/100");
    training(100);
    expect(written()).toContain("100/100");
  });

  it("is a line every ten seconds where no terminal is, and none for what is over before", () => {
    const { clock, training, written } = display(false);
    training(1);
    clock.ms = 9_999;
    training(2);
    expect(written()).toBe("");
    clock.ms = 10_000;
    training(3);
    expect(written()).toBe("training 3/100 steps  loss 2.346  812 tokens/s  1.5 GiB  8:05 left\n");
  });

  it("makes room for lines that stay", () => {
    const { shown, training, written } = display(true);
    training(1);
    shown.say("held out: 1 bit");
    shown.end();
    expect(written().endsWith("\r\u001b[2Kheld out: 1 bit\n")).toBe(true);
  });

  it("is events for programs", () => {
    const { shown, training, written } = display(true, true);
    training(1);
    shown.say("so far");
    expect(
      written()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      expect.objectContaining({ event: "progress", done: 1, of: 100, memoryBytes: 1610612736, secondsLeft: null }),
      { event: "message", message: "so far" },
    ]);
  });
});
