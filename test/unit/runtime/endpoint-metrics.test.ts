import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { writeEndpointMetrics } from "../../../shared/src/runtime/endpoint-metrics.ts";

let lines: string[];
beforeEach(() => {
  lines = [];
  process.env.POWERTOOLS_METRICS_DISABLED = "false";
  jest.useFakeTimers();
  jest.spyOn(process.stdout, "write").mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const written = () => lines.map((line) => JSON.parse(line));

describe("what an endpoint measures", () => {
  it("is written every quarter of a minute under the endpoint's name, each wait by itself", () => {
    const metrics = writeEndpointMetrics("fedmkt-dev-inference", () => 0.25);
    metrics.waited(0);
    metrics.waited(1.5);
    metrics.adapterRefused();
    expect(lines).toEqual([]);
    jest.advanceTimersByTime(15_000);
    expect(written()).toEqual([
      expect.objectContaining({
        service: "fedmkt",
        endpoint: "fedmkt-dev-inference",
        QueueSeconds: [0, 1.5],
        AdaptersRefused: 1,
        BusyShare: 0.25,
      }),
    ]);
    expect(written()[0]._aws.CloudWatchMetrics).toEqual([
      {
        Namespace: "FedMKT",
        Dimensions: [["service", "endpoint"]],
        Metrics: [
          { Name: "QueueSeconds", Unit: "Seconds" },
          { Name: "AdaptersRefused", Unit: "Count" },
          { Name: "BusyShare", Unit: "None" },
        ],
      },
    ]);
    metrics.close();
  });

  it("says how busy it is also where nobody asks, so that scaling knows", () => {
    const metrics = writeEndpointMetrics("fedmkt-dev-inference", () => 0);
    jest.advanceTimersByTime(30_000);
    metrics.close();
    expect(written().map(({ BusyShare, QueueSeconds }) => [BusyShare, QueueSeconds])).toEqual([
      [0, undefined],
      [0, undefined],
      [0, undefined],
    ]);
  });

  it("is written sooner where there is much of it: a line of CloudWatch's takes a hundred values", () => {
    const metrics = writeEndpointMetrics("fedmkt-dev-inference", () => 1);
    for (let n = 0; n < 250; n++) metrics.waited(n);
    metrics.close();
    const waits = written().map(({ QueueSeconds }) => QueueSeconds.length);
    expect(waits).toEqual([100, 100, 50]);
    jest.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(3);
  });
});
