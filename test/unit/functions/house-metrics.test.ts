import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { createStageHandler } from "../../../shared/src/runtime/create-stage-handler.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

let lines: string[];
beforeEach(() => {
  lines = [];
  process.env.POWERTOOLS_METRICS_DISABLED = "false";
  jest.spyOn(process.stdout, "write").mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const metrics = () => lines.map((line) => JSON.parse(line));
const definitions = (line: ReturnType<typeof metrics>[number]) => line._aws.CloudWatchMetrics;
const DIMENSIONS = [["service", "function"]];

async function call<S extends "close-round" | "fail-run" | "select-knowledge" | "map-vocabulary">(
  stage: S,
  input: object,
  output: object,
) {
  const handler = createStageHandler(stage, () => async () => output as never, {}, new RecordingLogger() as never);
  await handler(input, lambdaContext);
}

describe("what a function counts", () => {
  it("is what the run has cost and that a round closed, by the deployed function", async () => {
    const round = { run: "toy", round: 2 };
    await call("close-round", round, { ...round, done: true, dollars: 1.5, next: null });
    expect(metrics()).toEqual([
      expect.objectContaining({
        service: "fedmkt",
        function: "under-test",
        run: "toy",
        round: "2",
        RunDollars: 1.5,
        RoundsClosed: 1,
      }),
    ]);
    expect(definitions(metrics()[0])).toEqual([
      {
        Namespace: "FedMKT",
        Dimensions: DIMENSIONS,
        Metrics: [
          { Name: "RunDollars", Unit: "None" },
          { Name: "RoundsClosed", Unit: "Count" },
        ],
      },
    ]);
  });

  it("is how many samples a target learns from others, and that it is none", async () => {
    const selection = { run: "toy", round: 2, target: "server" };
    const key = "runs/toy/round-2/selection/server.json";
    await call("select-knowledge", selection, { key, samples: 100, selected: 7 });
    await call("select-knowledge", selection, { key, samples: 100, selected: 0 });
    expect(metrics()[0]).toMatchObject({ run: "toy", target: "server", SamplesSelected: 7 });
    expect(metrics()[0]).not.toHaveProperty("EmptySelections");
    expect(metrics()[1]).toMatchObject({ SamplesSelected: 0, EmptySelections: 1 });
  });

  const failure = { run: "toy", error: "a", cause: "private words", execution: "arn:aws:states:::a" };

  it("is that a run failed, without a word of why", async () => {
    await call("fail-run", failure, { status: "runs/toy/status.json", written: true });
    expect(metrics()).toMatchObject([{ FailedRuns: 1, run: "toy", function: "under-test" }]);
    expect(definitions(metrics()[0])).toMatchObject([
      { Namespace: "FedMKT", Dimensions: DIMENSIONS, Metrics: [{ Name: "FailedRuns", Unit: "Count" }] },
    ]);
    expect(lines.join("")).not.toContain("private words");
  });

  it("is nothing where the failure had been written down before", async () => {
    await call("fail-run", failure, { status: "runs/toy/status.json", written: false });
    expect(lines).toEqual([]);
  });

  it("is nothing of a stage that failed, or that has nothing to be counted", async () => {
    await expect(call("close-round", { run: "toy", round: 2 }, { run: "toy" })).rejects.toThrow();
    await call("map-vocabulary", { run: "toy", source: "a", target: "b" }, { key: "map", computed: true });
    expect(lines).toEqual([]);
  });
});
