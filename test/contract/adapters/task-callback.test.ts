import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it } from "@jest/globals";
import { type Front, startFront } from "../../../cli/src/local/front.ts";
import {
  StepFunctionsCallback,
  stepFunctionsClient,
} from "../../../shared/src/adapters/aws/step-functions-callback.ts";
import { EMBEDDED } from "../../support/embedded-stores.ts";

let front: Front;
const calls: [string, Record<string, unknown>][] = [];

/** A server that speaks the Step Functions API and answers every call alike. */
async function callbackTo(answer: () => unknown, now?: () => number): Promise<StepFunctionsCallback> {
  calls.length = 0;
  front = await startFront({
    connect: () => new PassThrough(),
    services: {
      AWSStepFunctions: (operation, input) => {
        calls.push([operation, input]);
        return answer() ?? {};
      },
    },
    accessKeyId: EMBEDDED.credentials.accessKeyId,
  });
  return new StepFunctionsCallback(stepFunctionsClient({ endpoint: front.url, maxAttempts: 1, ...EMBEDDED }), now);
}
const throwing = (name: string) => () => {
  throw Object.assign(new Error(`${name}!`), { name });
};

afterEach(() => front.stop());

describe("the callback of Step Functions", () => {
  it("sends a success with the output as JSON", async () => {
    const callback = await callbackTo(() => undefined);
    await callback.succeed("token", { manifest: "runs/a" });
    expect(calls).toEqual([["SendTaskSuccess", { taskToken: "token", output: '{"manifest":"runs/a"}' }]]);
  });

  it("sends a failure by name and cause, cut to what Step Functions takes", async () => {
    const callback = await callbackTo(() => undefined);
    await callback.fail("token", { name: "InvalidInputError", cause: "x".repeat(40_000) });
    expect(calls).toEqual([
      ["SendTaskFailure", { taskToken: "token", error: "InvalidInputError", cause: "x".repeat(32_768) }],
    ]);
  });

  it("says that the state waits when the heartbeat is taken", async () => {
    const callback = await callbackTo(() => undefined);
    expect(await callback.heartbeat("token")).toBe("waiting");
  });

  it.each(["TaskTimedOut", "TaskDoesNotExist"])("says that the state is gone on %s", async (name) => {
    const callback = await callbackTo(throwing(name));
    expect(await callback.heartbeat("token")).toBe("gone");
  });

  it("takes InvalidToken for a token that is not awaited yet during the first seconds, later for gone", async () => {
    let nowMs = 0;
    const callback = await callbackTo(throwing("InvalidToken"), () => nowMs);
    expect(await callback.heartbeat("token")).toBe("waiting");
    nowMs = 4_999;
    expect(await callback.heartbeat("token")).toBe("waiting");
    nowMs = 5_000;
    expect(await callback.heartbeat("token")).toBe("gone");
  });

  it("gives every token those first seconds, however long the process has served others", async () => {
    let nowMs = 0;
    const callback = await callbackTo(throwing("InvalidToken"), () => nowMs);
    await callback.heartbeat("token");
    nowMs = 600_000;
    expect(await callback.heartbeat("another")).toBe("waiting");
    nowMs = 605_000;
    expect(await callback.heartbeat("another")).toBe("gone");
  });

  it("drops an answer that comes too late, since its outputs lie in S3", async () => {
    const callback = await callbackTo(throwing("TaskTimedOut"));
    await callback.succeed("token", {});
    await callback.fail("token", { name: "TransientError", cause: "" });
    expect(calls).toHaveLength(2);
  });

  it("calls trouble on the way a TransientError", async () => {
    const callback = await callbackTo(() => undefined);
    await front.stop();
    await expect(callback.heartbeat("token")).rejects.toMatchObject({
      name: "TransientError",
      code: "AWS_UNAVAILABLE",
    });
  });

  it("calls a refused output an InvalidInputError", async () => {
    const callback = await callbackTo(throwing("InvalidOutput"));
    await expect(callback.succeed("token", {})).rejects.toMatchObject({ name: "InvalidInputError" });
  });
});
