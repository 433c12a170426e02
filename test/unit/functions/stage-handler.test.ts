import { describe, expect, it } from "@jest/globals";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import { createStageHandler } from "../../../shared/src/runtime/create-stage-handler.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

type Close = (deps: { done: boolean }) => (input: { run: string; round: number }) => Promise<{
  run: string;
  round: number;
  done: boolean;
  dollars: number;
  next: null;
}>;
const closeRound: Close = (deps) => async (input) => ({ ...input, done: deps.done, dollars: 0, next: null });
const handlerOf = (useCase: Close, logger = new RecordingLogger()) => ({
  handler: createStageHandler("close-round", useCase, { done: true }, logger as never),
  logger,
});

process.env.POWERTOOLS_METRICS_DISABLED = "true";

describe("a stage's handler", () => {
  it("hands its use case the dependencies and the checked input, and gives back the output", async () => {
    const { handler } = handlerOf(closeRound);
    expect(await handler({ run: "a", round: 2 }, lambdaContext)).toEqual({
      run: "a",
      round: 2,
      done: true,
      dollars: 0,
      next: null,
    });
  });

  it("refuses an input that breaks the contract, naming every wrong field", async () => {
    const { handler } = handlerOf(closeRound);
    await expect(handler({ run: "No Name", round: 0 }, lambdaContext)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "STAGE_INPUT_INVALID",
      message: expect.stringMatching(/^close-round: run: .*; round: /),
    });
  });

  it("refuses an output that breaks the contract as a bug of ours", async () => {
    const { handler } = handlerOf(() => async () => ({ run: "a" }) as never);
    await expect(handler({ run: "a", round: 1 }, lambdaContext)).rejects.toMatchObject({
      name: "InvariantError",
      code: "STAGE_OUTPUT_INVALID",
    });
  });

  it.each([
    new InvalidInputError("OBJECT_MISSING", "s3://a/b: expected an object, found none"),
    new TransientError("AWS_UNAVAILABLE", "s3://a/b: SlowDown"),
  ])("lets %s out under its own name, by which Step Functions decides", async (error) => {
    const { handler } = handlerOf(() => async () => {
      throw error;
    });
    await expect(handler({ run: "a", round: 1 }, lambdaContext)).rejects.toBe(error);
  });

  it("reports what was never meant to be thrown as an InvariantError that names the stage and keeps the original", async () => {
    const original = new TypeError("undefined is not iterable");
    const { handler } = handlerOf(() => async () => {
      throw original;
    });
    await expect(handler({ run: "a", round: 1 }, lambdaContext)).rejects.toMatchObject({
      name: "InvariantError",
      code: "UNEXPECTED",
      message: "close-round: TypeError: undefined is not iterable",
      cause: original,
    });
  });

  it("logs who and where, and nothing else of the input", async () => {
    const { handler, logger } = handlerOf(closeRound);
    await handler({ run: "a", round: 2, secret: "private text" }, lambdaContext).catch(() => undefined);
    await handler({ run: "a", round: 2 }, lambdaContext);
    expect(logger.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "INFO stage started",
      "ERROR stage failed",
      "INFO stage started",
      "INFO stage done",
    ]);
    expect(logger.lines[0].extra).toEqual({ run: "a", round: 2 });
    expect(JSON.stringify(logger.lines)).not.toContain("private text");
  });
});
