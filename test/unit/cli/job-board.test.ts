import { describe, expect, it } from "@jest/globals";
import { eventOf } from "../../../cli/src/local/output-lines.ts";
import { JobBoard } from "../../../cli/src/progress/job-board.ts";
import type { ProgressEvent } from "../../../shared/src/contracts/progress.ts";

const job = { run: "toy", round: 1, stage: "client-train", party: "ward" };
const progress = (event: Partial<ProgressEvent> & Pick<ProgressEvent, "phase">) =>
  ({ kind: "progress", progress: { ...job, ...event } }) as const;

describe("the board of running jobs", () => {
  it("tells a job's start and end to the log, and its course to the live lines", () => {
    const board = new JobBoard(2);
    expect(board.take(progress({ phase: "started" }))).toBe("round 1/2, ward, client-train: started");
    expect(board.take(progress({ phase: "training", step: 1, steps: 4, loss: 2.5, tokensPerSecond: 99.6 }))).toBeNull();
    expect(board.lines()).toEqual(["1/2 ward client-train training ███░░░░░░░ 1/4  loss 2.500  100 tokens/s"]);
    expect(board.take(progress({ phase: "extracting", step: 4, steps: 4 }))).toBeNull();
    expect(board.lines()).toEqual(["1/2 ward client-train extracting ██████████ 4/4  loss 2.500"]);
    expect(board.take(progress({ phase: "done" }))).toBe("round 1/2, ward, client-train: done, loss 2.500");
    expect(board.lines()).toEqual([]);
  });

  it("says of a job that an earlier attempt had finished that it is done already", () => {
    const board = new JobBoard(2);
    expect(board.take(progress({ phase: "done", reused: true }))).toBe("round 1/2, ward, client-train: done already");
    expect(board.lines()).toEqual([]);
  });

  it("says which variant a job is of, and keeps it apart from the run's own", () => {
    const board = new JobBoard(2);
    const ofVariant = { run: "toy--one-way" };
    board.take(progress({ phase: "training", step: 1, steps: 4, loss: 2.5 }));
    expect(board.take(progress({ ...ofVariant, phase: "started" }))).toBe(
      "one-way, round 1/2, ward, client-train: started",
    );
    expect(board.lines()).toHaveLength(2);
    expect(board.lines()[1]).toBe("one-way 1/2 ward client-train started");
    expect(board.take(progress({ ...ofVariant, phase: "done" }))).toBe("one-way, round 1/2, ward, client-train: done");
    expect(board.lines()).toHaveLength(1);
  });

  it("keeps a baseline one job, whichever round it trains for", () => {
    const board = new JobBoard(2);
    const baseline = { stage: "run-baseline", baseline: "standalone" };
    expect(board.take(progress({ ...baseline, round: 0, phase: "started" }))).toBe(
      "ward, baseline standalone: started",
    );
    board.take(progress({ ...baseline, round: 2, phase: "scoring", step: 1, steps: 1 }));
    expect(board.take(progress({ ...baseline, round: 0, phase: "done" }))).toBe("ward, baseline standalone: done");
    expect(board.lines()).toEqual([]);
  });

  it("passes warnings of this process on, and leaves failures and what jobs write to the logs", () => {
    const board = new JobBoard(2);
    const state = { machine: "round", execution: "e", name: "ClientTrain", at: 0 };
    expect(
      board.take({ kind: "state-failed", ...state, error: "InvalidInputError", cause: "no such file" }),
    ).toBeNull();
    expect(board.take(eventOf("worker", '{"level":"ERROR","message":"job failed"}', "info"))).toBeNull();
    expect(board.take({ kind: "state-entered", ...state })).toBeNull();
    expect(board.take({ kind: "log", source: "worker", line: "slow", level: "warn" })).toBe("worker: slow");
    expect(board.take({ kind: "log", source: "worker", line: "fine", level: "info" })).toBeNull();
  });
});
