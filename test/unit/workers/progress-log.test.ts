import { describe, expect, it } from "@jest/globals";
import { type ProgressEvent, progressEvent } from "../../../shared/src/contracts/progress.ts";
import { logProgress } from "../../../shared/src/runtime/progress-log.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const event = (more: Partial<ProgressEvent>): ProgressEvent => ({
  run: "a",
  round: 1,
  stage: "client-train",
  party: "harbour",
  phase: "training",
  ...more,
});

function prepare() {
  let nowMs = 0;
  const logger = new RecordingLogger();
  const log = logProgress(logger as never, () => nowMs);
  const at = (ms: number, more: Partial<ProgressEvent>) => {
    nowMs = ms;
    log(event(more));
  };
  const steps = () => logger.lines.map(({ extra }) => (extra.progress as ProgressEvent).step);
  return { at, steps, logger };
}

describe("progress in the log", () => {
  it("comes at most five times a second within a phase", () => {
    const { at, steps } = prepare();
    for (let step = 1; step <= 100; step++) at(step * 10, { step, steps: 1000 });
    expect(steps()).toEqual([1, 21, 41, 61, 81]);
  });

  it("always has a phase's first and last event", () => {
    const { at, logger } = prepare();
    at(0, { phase: "started" });
    at(1, { step: 1, steps: 3 });
    at(2, { step: 2, steps: 3 });
    at(3, { step: 3, steps: 3 });
    at(4, { phase: "extracting", step: 1, steps: 2 });
    at(5, { phase: "done" });
    expect(logger.lines.map(({ extra }) => (extra.progress as ProgressEvent).phase)).toEqual([
      "started",
      "training",
      "training",
      "extracting",
      "done",
    ]);
  });

  it("is one structured line that the contract reads", () => {
    const { at, logger } = prepare();
    at(0, { step: 1, steps: 3, loss: 2.5, tokensPerSecond: 810 });
    expect(logger.lines[0].message).toBe("progress");
    expect(progressEvent.parse(logger.lines[0].extra.progress)).toEqual(
      event({ step: 1, steps: 3, loss: 2.5, tokensPerSecond: 810 }),
    );
  });
});
