import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { LocalEvent } from "../../../cli/src/local/local-event.ts";
import { runLocally } from "../../../cli/src/local/run-local.ts";
import { CALL_STATES, writeSmallAssembly } from "../../support/small-assembly.ts";

const worker = `${CALL_STATES}
  const { TOKEN: taskToken, KEY, AWS_ENDPOINT_URL, FEDMKT_ARTEFACT_BUCKET, FEDMKT_LOCAL_FILES } = process.env;
  console.log(JSON.stringify({ level: "INFO", message: "progress", progress: { run: "a", round: 1, stage: "client-train", party: "harbour", phase: "training", step: 1, steps: 2 } }));
  const object = AWS_ENDPOINT_URL + "/" + FEDMKT_ARTEFACT_BUCKET + "/" + KEY + ".done";
  const before = await fetch(object, { headers: { authorization } });
  if (KEY.includes("bad")) await states("SendTaskFailure", { taskToken, error: "InvalidInputError", cause: "line 3 of " + KEY });
  else if (KEY.includes("long")) setInterval(() => {}, 1000);
  else {
    await fetch(object, { method: "PUT", headers: { authorization }, body: before.ok ? "found " + await before.text() : "local files " + FEDMKT_LOCAL_FILES });
    await states("SendTaskSuccess", { taskToken, output: "{}" });
  }`;
const environment = [
  { Name: "TOKEN", "Value.$": "$$.Task.Token" },
  { Name: "KEY", "Value.$": "$.detail.object.key" },
];
const assembly = writeSmallAssembly({
  worker,
  startedByUpload: "Run",
  machines: {
    Run: {
      StartAt: "ClientTrain",
      States: {
        ClientTrain: {
          Type: "Task",
          Resource: "arn:aws:states:::ecs:runTask.waitForTaskToken",
          Parameters: {
            TaskDefinition: "workers",
            Overrides: { ContainerOverrides: [{ Name: "worker", Environment: environment }] },
          },
          End: true,
        },
      },
    },
  },
});
const run = (runId: string, more: { signal?: AbortSignal; onEvent?: (event: LocalEvent) => void } = {}) =>
  runLocally({
    specYaml: new TextEncoder().encode("rounds: 1\n"),
    runId,
    folder: path.join(assembly.folder, "runs", runId),
    assembly: assembly.assembly,
    concurrentTasks: 2,
    onEvent: () => {},
    workerEntry: assembly.worker,
    ...more,
  });

describe("a local run", () => {
  it("is started by the upload of its spec, tells progress, keeps logs, and finds its objects again when it is run again", async () => {
    const events: LocalEvent[] = [];
    const first = await run("good", { onEvent: (event) => events.push(event) });
    expect(first).toMatchObject({ status: "SUCCEEDED" });
    const key = "runs/good/run.yaml.done";
    expect(new TextDecoder().decode(await first.readObject(first.artefacts, key))).toBe("local files true");
    expect(first.objects.list(first.artefacts, "runs/good/")).toEqual([key]);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "progress", progress: expect.objectContaining({ party: "harbour" }) }),
    );
    expect(existsSync(path.join(assembly.folder, "runs", "good", "logs", "ClientTrain-1.log"))).toBe(true);
    const second = await run("good");
    expect(new TextDecoder().decode(await second.readObject(second.artefacts, key))).toBe("found local files true");
    expect(() => second.objects.read(second.artefacts, "none")).toThrow(
      expect.objectContaining({ code: "OBJECT_MISSING" }),
    );
  });

  it("ends with the first error's name and message", async () => {
    expect(await run("bad")).toMatchObject({
      status: "FAILED",
      error: "InvalidInputError",
      cause: "line 3 of runs/bad/run.yaml",
    });
  });

  it("ends at once when it is aborted", async () => {
    const abort = new AbortController();
    const onEvent = (event: LocalEvent) => event.kind === "progress" && abort.abort();
    expect(await run("long", { signal: abort.signal, onEvent })).toMatchObject({ status: "FAILED", error: "Aborted" });
  });
});
