import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import type { StageInput } from "../../../shared/src/contracts/stages.ts";
import { createFailRunHandler } from "../../../shared/src/runtime/create-fail-run-handler.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const event = JSON.parse(readFileSync(new URL("../../../events/fail-run/run-timed-out.json", import.meta.url), "utf8"));
const withDetail = (detail: object) => ({ ...event, detail: { ...event.detail, ...detail } });
const RUN = "harbour-and-forest";

function prepare() {
  const inputs: StageInput<"fail-run">[] = [];
  const useCase = () => async (input: StageInput<"fail-run">) => {
    inputs.push(input);
    return { status: "status.json" };
  };
  const handler = createFailRunHandler(useCase, {}, new RecordingLogger() as never);
  return { inputs, call: (given: unknown) => handler(given, lambdaContext) };
}

describe("the handler of fail-run", () => {
  it("takes the run machine's input", async () => {
    const { call, inputs } = prepare();
    const input = { run: RUN, error: "InvalidInputError", cause: "no adapters", planned: true };
    expect(await call(input)).toEqual({ status: "status.json" });
    expect(inputs).toEqual([input]);
  });

  it("takes EventBridge's event of a run that timed out, as Step Functions sends it", async () => {
    const { call, inputs } = prepare();
    expect(await call(event)).toEqual({ status: "status.json" });
    expect(inputs).toEqual([
      {
        run: RUN,
        error: "States.Timeout",
        cause: expect.stringMatching(/longer than its machine allows: arn:aws:states:.*:execution:RunMachine:/),
        planned: true,
      },
    ]);
  });

  it("says that a run was stopped, and by which words", async () => {
    const { call, inputs } = prepare();
    await call(withDetail({ status: "ABORTED" }));
    await call(withDetail({ status: "ABORTED", error: "Maintenance", cause: "by the night shift" }));
    expect(inputs).toMatchObject([
      { error: "ABORTED", cause: expect.stringContaining("was stopped"), planned: true },
      { error: "Maintenance", cause: "by the night shift", planned: true },
    ]);
  });

  it.each(["States.Runtime", "States.DataLimitExceeded"])("writes down %s, which no Catch sees", async (error) => {
    const { call, inputs } = prepare();
    await call(withDetail({ status: "FAILED", error, cause: "too large" }));
    expect(inputs).toMatchObject([{ error, cause: "too large", planned: true }]);
  });

  it.each(["InvalidInputError", null])(
    "trusts the machine's own note of a failure that it caught: %s",
    async (error) => {
      const { call, inputs } = prepare();
      await call(withDetail({ status: "FAILED", error }));
      expect(inputs).toMatchObject([{ planned: false }]);
    },
  );

  it.each([
    ["without its input", null],
    ["started by hand with something else", '{"Comment":"hello"}'],
    ["started with no JSON", "{"],
    ["whose key was refused", '{"detail":{"object":{"key":"runs/a/parties/b/run.yaml"}}}'],
  ])("has nothing to write for an execution %s", async (_, input) => {
    const { call, inputs } = prepare();
    expect(await call(withDetail({ input }))).toBeNull();
    expect(inputs).toEqual([]);
  });

  it("refuses what is neither, naming every wrong field", async () => {
    const { call } = prepare();
    await expect(call({ run: "a" })).rejects.toMatchObject({ code: "STAGE_INPUT_INVALID" });
  });
});
