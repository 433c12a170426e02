import { describe, expect, it } from "@jest/globals";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import type { Claim } from "../../../shared/src/contracts/claim.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import type { RunStatus } from "../../../shared/src/contracts/run-status.ts";
import type { StageDependencies } from "../../../shared/src/use-cases/dependencies.ts";
import { failRun, firstCause } from "../../../shared/src/use-cases/fail-run.ts";
import { EXECUTION, executionArn } from "../../support/execution-arn.ts";

const RUN = "harbour-and-forest";
const FAILURE = { run: RUN, error: "InvalidInputError", cause: "rounds: expected a number", execution: EXECUTION };
const OTHER = executionArn("other");

/** @param holders - the executions that claimed the run, one after the other */
async function prepare({ status, holders = [] }: { status?: Partial<RunStatus>; holders?: string[] } = {}) {
  const objects = new MemoryObjectStore();
  const deps = { objects, buckets: { control: "control" } } as unknown as StageDependencies;
  const put = (given: Partial<RunStatus>) =>
    objects.put("control", controlKeys.status(RUN), encodeJson({ run: RUN, execution: EXECUTION, ...given }));
  const claim = (execution: string, number: number) =>
    objects.put(
      "control",
      controlKeys.claim(RUN, number),
      encodeJson({ run: RUN, specHash: "ab".repeat(32), execution } satisfies Claim),
    );
  if (status) await put(status);
  for (const [index, holder] of holders.entries()) await claim(holder, index + 1);
  const read = async (): Promise<unknown> => {
    const key = controlKeys.status(RUN);
    if ((await objects.head("control", key)) === null) return null;
    return JSON.parse(new TextDecoder().decode(await objects.get("control", key, 1e6)));
  };
  return { fail: failRun(deps), read, objects, put, claim };
}

describe("fail-run", () => {
  it("writes down why the run failed that its execution holds", async () => {
    const { fail, read } = await prepare({ holders: [EXECUTION], status: { status: "RUNNING" } });
    expect(await fail(FAILURE)).toEqual({ status: controlKeys.status(RUN), written: true });
    expect(await read()).toEqual({ ...FAILURE, status: "FAILED" });
  });

  it("writes down why an upload was refused that nobody ran", async () => {
    const { fail, read } = await prepare();
    expect(await fail(FAILURE)).toMatchObject({ written: true });
    expect(await read()).toEqual({ ...FAILURE, status: "FAILED" });
  });

  it("writes over an earlier upload's failure: a corrected one begins anew", async () => {
    const { fail, read } = await prepare({ status: { status: "FAILED", execution: OTHER, cause: "earlier" } });
    expect(await fail(FAILURE)).toMatchObject({ written: true });
    expect(await read()).toMatchObject({ execution: EXECUTION, cause: FAILURE.cause });
  });

  it("writes over the failure of the execution that held the run before", async () => {
    const { fail, read } = await prepare({
      holders: [OTHER, EXECUTION],
      status: { status: "FAILED", execution: OTHER },
    });
    expect(await fail(FAILURE)).toMatchObject({ written: true });
    expect(await read()).toMatchObject({ execution: EXECUTION });
  });

  it.each([{ holders: [EXECUTION] }, { holders: [] }])(
    "leaves the machine's own note of its failure alone: it knew more than the event of its end (claims: $holders)",
    async ({ holders }) => {
      const { fail, read } = await prepare({ holders });
      await fail(FAILURE);
      expect(await fail({ ...FAILURE, error: "FAILED", cause: "the execution failed" })).toMatchObject({
        written: false,
      });
      expect(await read()).toMatchObject({ cause: FAILURE.cause });
    },
  );

  it("never writes over a success", async () => {
    const { fail, read } = await prepare({ holders: [EXECUTION], status: { status: "SUCCEEDED" } });
    expect(await fail(FAILURE)).toMatchObject({ written: false });
    expect(await read()).toMatchObject({ status: "SUCCEEDED" });
  });

  it.each(["RUNNING", "SUCCEEDED", "FAILED"] as const)(
    "leaves another execution's run alone that is %s when its own upload was refused",
    async (status) => {
      const { fail, read } = await prepare({ holders: [OTHER], status: { status, execution: OTHER } });
      expect(await fail(FAILURE)).toMatchObject({ written: false });
      expect(await read()).toEqual({ run: RUN, status, execution: OTHER });
    },
  );

  it("leaves a run alone that another execution has just claimed and not yet written of", async () => {
    const { fail, read } = await prepare({ holders: [OTHER] });
    expect(await fail(FAILURE)).toMatchObject({ written: false });
    expect(await read()).toBeNull();
  });

  it("leaves the run alone of whoever took it up again after it ended", async () => {
    const { fail, read } = await prepare({
      holders: [EXECUTION, OTHER],
      status: { status: "RUNNING", execution: OTHER },
    });
    expect(await fail(FAILURE)).toMatchObject({ written: false });
    expect(await read()).toMatchObject({ status: "RUNNING", execution: OTHER });
  });

  it.each([undefined, { status: "FAILED", execution: executionArn("earlier"), cause: "earlier" } as const])(
    "shows a run as running that another execution takes at that very moment (status before: %j)",
    async (status) => {
      const { fail, read, objects, put, claim } = await prepare({ status });
      // the other execution takes the run after fail-run has seen that nobody has it
      const list = objects.list.bind(objects);
      let lists = 0;
      objects.list = async (...place) => {
        const keys = await list(...place);
        if (++lists === 1) {
          await claim(OTHER, 1);
          await put({ status: "RUNNING", execution: OTHER });
        }
        return keys;
      };
      expect(await fail(FAILURE)).toMatchObject({ written: false });
      expect(await read()).toEqual({ run: RUN, status: "RUNNING", execution: OTHER });
    },
  );

  it.each([
    { holders: [], status: { status: "FAILED", execution: OTHER } as const },
    { holders: [EXECUTION], status: { status: "RUNNING", execution: EXECUTION } as const },
  ])("shows a run as running that another execution takes while the failure is written (%j)", async (before) => {
    const { fail, read, objects, put, claim } = await prepare(before);
    const write = objects.put.bind(objects);
    let racing = true;
    objects.put = async (...given) => {
      if (racing) {
        racing = false;
        await claim(OTHER, before.holders.length + 1);
        await put({ status: "RUNNING", execution: OTHER });
      }
      await write(...given);
    };
    expect(await fail(FAILURE)).toMatchObject({ written: false });
    expect(await read()).toEqual({ run: RUN, status: "RUNNING", execution: OTHER });
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
