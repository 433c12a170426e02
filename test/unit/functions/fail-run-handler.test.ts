import { describe, expect, it } from "@jest/globals";
import type { StageInput } from "../../../shared/src/contracts/stages.ts";
import { createFailRunHandler } from "../../../shared/src/runtime/create-fail-run-handler.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { readEvent } from "../../support/read-event.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

process.env.POWERTOOLS_METRICS_DISABLED = "true";

const timedOut = readEvent("fail-run/run-timed-out");
const withDetail = (detail: object) => ({ ...timedOut, detail: { ...timedOut.detail, ...detail } });
const RUN = "harbour-and-forest";
const ANSWER = { status: "status.json", written: true };

function prepare() {
  const inputs: StageInput<"fail-run">[] = [];
  const useCase = () => async (input: StageInput<"fail-run">) => {
    inputs.push(input);
    return ANSWER;
  };
  const handler = createFailRunHandler(useCase, {}, new RecordingLogger() as never);
  return { inputs, call: (given: unknown) => handler(given, lambdaContext) };
}

describe("the handler of fail-run", () => {
  it("takes the run machine's input", async () => {
    const { call, inputs } = prepare();
    const input = { run: RUN, error: "InvalidInputError", cause: "no adapters", execution: "arn:aws:states:::a" };
    expect(await call(input)).toEqual(ANSWER);
    expect(inputs).toEqual([input]);
  });

  it.each([
    [
      "timed out",
      "run-timed-out",
      "States.Timeout",
      /longer than its machine allows: arn:aws:states:.*:execution:fedmkt-prod-run:1/,
    ],
    [
      "failed",
      "run-failed",
      "States.TaskFailed",
      /^\{"Error":"InvalidInputError","Cause":"\{.*expected finite log-probabilities/,
    ],
    ["was stopped by hand", "run-aborted", "ABORTED", /was stopped: arn:aws:states:.*:execution:fedmkt-prod-run:6/],
  ])("takes EventBridge's event of a run that %s, as Step Functions sends it", async (_, name, error, cause) => {
    const { call, inputs } = prepare();
    const event = readEvent(`fail-run/${name}`);
    expect(await call(event)).toEqual(ANSWER);
    expect(inputs).toEqual([
      { run: RUN, error, cause: expect.stringMatching(cause), execution: event.detail.executionArn },
    ]);
  });

  it("says by which words a run was stopped", async () => {
    const { call, inputs } = prepare();
    await call(withDetail({ status: "ABORTED", error: "Maintenance", cause: "by the night shift" }));
    expect(inputs).toMatchObject([{ error: "Maintenance", cause: "by the night shift" }]);
  });

  it("has nothing to write for a run that succeeded", async () => {
    const { call, inputs } = prepare();
    expect(await call(readEvent("stop-tasks/run-succeeded"))).toBeNull();
    expect(inputs).toEqual([]);
  });

  it.each([
    ["without its input", null],
    ["started by hand with something else", '{"Comment":"hello"}'],
    ["started with no JSON", "{"],
    ["whose key names no run", '{"detail":{"object":{"key":"runs/Two Words/run.yaml"}}}'],
    ["whose key was refused", '{"detail":{"object":{"key":"runs/a/parties/b/run.yaml"}}}'],
  ])("has nothing to write for an execution %s", async (_, input) => {
    const { call, inputs } = prepare();
    expect(await call(withDetail({ input }))).toBeNull();
    expect(inputs).toEqual([]);
  });

  it("refuses what is neither, naming every wrong field", async () => {
    const { call } = prepare();
    await expect(call({ run: "a" })).rejects.toMatchObject({
      code: "STAGE_INPUT_INVALID",
      message: expect.stringMatching(/error: .*; cause: .*; execution: /),
    });
  });
});
