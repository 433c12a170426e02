import { describe, expect, it } from "@jest/globals";
import { eventOf } from "../../../cli/src/local/output-lines.ts";

describe("a task's output", () => {
  it("tells progress as progress", () => {
    const progress = { run: "a", round: 1, stage: "client-train", party: "harbour", phase: "training" };
    expect(eventOf("T", JSON.stringify({ level: "INFO", message: "progress", progress }), "info")).toEqual({
      kind: "progress",
      progress,
    });
  });

  it("keeps a structured line's own level, and plain text as it is", () => {
    expect(eventOf("T", '{"level":"ERROR","message":"no"}', "info")).toMatchObject({ kind: "log", level: "error" });
    expect(eventOf("T", "plain", "warn")).toEqual({
      kind: "log",
      source: "T",
      line: "plain",
      level: "warn",
      logged: true,
    });
    expect(eventOf("T", "{broken", "info")).toMatchObject({ kind: "log", line: "{broken" });
    expect(eventOf("T", '{"message":"progress","progress":{"run":1}}', "info")).toMatchObject({ kind: "log" });
  });
});
