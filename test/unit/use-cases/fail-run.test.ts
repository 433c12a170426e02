import { describe, expect, it } from "@jest/globals";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import type { StageDependencies } from "../../../shared/src/use-cases/dependencies.ts";
import { failRun, firstCause } from "../../../shared/src/use-cases/fail-run.ts";

const RUN = "harbour-and-forest";
const FAILURE = { run: RUN, error: "InvalidInputError", cause: "rounds: expected a number" };

async function prepare(existing: { status?: "SUCCEEDED" | "FAILED"; plan?: boolean } = {}) {
  const objects = new MemoryObjectStore();
  const { status, plan } = existing;
  if (status) await objects.put("control", controlKeys.status(RUN), encodeJson({ run: RUN, status }));
  if (plan) await objects.put("control", controlKeys.plan(RUN), encodeJson({}));
  const deps = { objects, buckets: { control: "control", artefacts: "artefacts" } } as unknown as StageDependencies;
  const read = async () =>
    JSON.parse(new TextDecoder().decode(await objects.get("control", controlKeys.status(RUN), 1e6)));
  return { fail: failRun(deps), read, objects };
}

describe("fail-run", () => {
  it.each([true, false])("writes down why a run failed (planned: %s)", async (planned) => {
    const { fail, read } = await prepare({ plan: planned });
    expect(await fail({ ...FAILURE, planned })).toEqual({ status: controlKeys.status(RUN) });
    expect(await read()).toEqual({ status: "FAILED", ...FAILURE });
  });

  it("writes over an earlier failure of the run", async () => {
    const { fail, read } = await prepare({ status: "FAILED", plan: true });
    await fail({ ...FAILURE, planned: true });
    expect(await read()).toMatchObject({ cause: FAILURE.cause });
  });

  it.each([true, false])("never writes over a success (planned: %s)", async (planned) => {
    const { fail, read } = await prepare({ status: "SUCCEEDED", plan: true });
    await fail({ ...FAILURE, planned });
    expect(await read()).toEqual({ run: RUN, status: "SUCCEEDED" });
  });

  it("leaves a run that goes on alone when another upload of its name was refused", async () => {
    const { fail, objects } = await prepare({ plan: true });
    await fail({ ...FAILURE, planned: false });
    expect(await objects.head("control", controlKeys.status(RUN))).toBeNull();
  });

  it("leaves a run's own failure alone when another upload of its name was refused", async () => {
    const { fail, read } = await prepare({ status: "FAILED" });
    await fail({ ...FAILURE, planned: false });
    expect(await read()).toEqual({ run: RUN, status: "FAILED" });
  });
});

/** Step Functions' own limit. */
const CAUSE_CHARACTERS = 32_768;
const lambdaError = (errorMessage: string, trace: string[] = []) =>
  JSON.stringify({ errorType: "InvalidInputError", errorMessage, trace });
const description = (cause: string) =>
  JSON.stringify({
    Cause: cause,
    Error: "InvalidInputError",
    Input: { clients: ["x".repeat(40_000)] },
    Status: "FAILED",
  });

describe("a failure's first cause", () => {
  it("lies at the bottom of the machines inside one another", () => {
    expect(firstCause("States.TaskFailed", description(lambdaError("client harbour: NaN")))).toEqual({
      error: "InvalidInputError",
      cause: "client harbour: NaN",
    });
  });

  it("is found in a description that was cut after it", () => {
    const whole = description(lambdaError('client "Größe": line 3\nexpected a number'));
    expect(whole.length).toBeGreaterThan(40_000);
    expect(firstCause("States.TaskFailed", whole.slice(0, CAUSE_CHARACTERS))).toEqual({
      error: "InvalidInputError",
      cause: 'client "Größe": line 3\nexpected a number',
    });
  });

  it("is found in a description whose own cause of 40 KB was cut within", () => {
    const trace = Array.from(
      { length: 400 },
      (_, line) => `    at planRun (file:///var/task/plan-run.mjs:${line}:"${"x".repeat(60)}")`,
    );
    const whole = description(lambdaError("client harbour: NaN", trace));
    const cut = whole.slice(0, CAUSE_CHARACTERS);
    expect(cut).not.toContain('"Error"');
    expect(firstCause("States.TaskFailed", cut)).toEqual({ error: "InvalidInputError", cause: "client harbour: NaN" });
  });

  it("is given as far as it goes where the cut runs through it, wherever that is", () => {
    const message = `\\u00e9 "\u2028" é\\ ${'\u0001"\\é'.repeat(20)}`;
    const whole = description(lambdaError(message));
    for (let length = whole.indexOf("errorMessage") + 20; length < whole.indexOf('"Input"'); length++) {
      const { error, cause } = firstCause("States.TaskFailed", whole.slice(0, length));
      expect(error).toBe("InvalidInputError");
      expect(message.startsWith(cause)).toBe(true);
    }
  });

  it.each(["no JSON at all", "{ braces, but no JSON", "", '["a list"]', '{"statusCode":500}'])(
    "is the cause itself where that is no error: %j",
    (cause) => {
      expect(firstCause("States.Timeout", cause)).toEqual({ error: "States.Timeout", cause });
    },
  );
});
