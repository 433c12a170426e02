import { describe, expect, it } from "@jest/globals";
import {
  FedmktError,
  InvalidInputError,
  InvariantError,
  invariant,
  TransientError,
} from "../../../shared/src/core/errors.ts";

describe("errors", () => {
  it.each([
    ["InvalidInputError", InvalidInputError],
    ["TransientError", TransientError],
    ["InvariantError", InvariantError],
  ] as const)("carry the name that decides what happens next, their code, message and cause: %s", (name, Kind) => {
    const cause = new Error("below");
    const error = new Kind("CODE", "what was expected", { cause });
    expect(error).toBeInstanceOf(FedmktError);
    expect(error).toMatchObject({ name, code: "CODE", message: "what was expected", cause });
  });

  it("come of an invariant that does not hold, and only then", () => {
    expect(() => invariant(false, "BROKEN", "expected better")).toThrow(
      expect.objectContaining({ name: "InvariantError", code: "BROKEN", message: "expected better" }),
    );
    expect(() => invariant(true, "BROKEN", "expected better")).not.toThrow();
  });
});
