import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { describeSite } from "../../../../cli/src/cloud/add-client.ts";
import { findClient } from "../../../../cli/src/cloud/deployed-clients.ts";
import type { SiteWorkerOptions } from "../../../../cli/src/cloud/site-worker.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import { callCli, makeToyFolder, remove, write } from "../../../support/cli.ts";
import { FakeCloud } from "../../../support/fake-cloud.ts";

const WORKER = ["worker", "--client", "ward", "--config", "ward.fedmkt.json", "--data", "data"];

describe("fedmkt worker", () => {
  let folder: string;
  beforeEach(async () => {
    folder = makeToyFolder();
    const cloud = new FakeCloud();
    cloud.addClient("ward", { hosts: false, principal: "arn:aws:iam::444455556666:role/site" });
    const client = (await findClient(cloud, "ward"))!;
    write(folder, "ward.fedmkt.json", JSON.stringify(describeSite(cloud, client)));
    mkdirSync(join(folder, "data"));
  });
  afterEach(() => remove(folder));

  it("works with what the file says, and shows jobs and progress", async () => {
    const calls: SiteWorkerOptions[] = [];
    const runWorker = async (options: SiteWorkerOptions) => {
      calls.push(options);
      const job = { run: "toy", round: 2, stage: "client-train", party: "ward" };
      options.onLog("info", "job started", job);
      options.onProgress({ ...job, phase: "started" });
      options.onProgress({ ...job, phase: "done" });
      options.onLog("info", "job done", job);
      options.onLog("error", "job failed", {
        ...job,
        code: "DATASET_INVALID",
        error: new InvalidInputError("DATASET_INVALID", "line 3"),
      });
    };
    const { exitCode, stdout, stderr } = await callCli(folder, [...WORKER, "--once"], { runWorker });
    expect([exitCode, stdout]).toEqual([0, "ward: 1 job done, 1 failed\n"]);
    expect(calls[0]).toMatchObject({
      dataFolder: join(folder, "data"),
      device: "cpu",
      once: true,
      site: {
        client: "ward",
        roleArn: "arn:aws:iam::111122223333:role/fedmkt-dev-party-ward",
        externalId: "external-1",
      },
    });
    expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
      "round 2, ward, client-train: started",
      "round 2, ward, client-train: done",
      "job failed run=toy round=2 stage=client-train party=ward (DATASET_INVALID: line 3)",
    ]);
  });

  it("leaves with 0 when it is told to, saying that a job went back", async () => {
    const controller = new AbortController();
    const runWorker = async ({ signal, onLog }: SiteWorkerOptions) => {
      controller.abort();
      if (signal.aborted) onLog("warn", "job put down: the worker was stopped", { run: "toy" });
    };
    const { exitCode, stdout } = await callCli(folder, WORKER, { runWorker, signal: controller.signal });
    expect([exitCode, stdout]).toEqual([0, "ward: 0 jobs done, 0 failed; what was under way is back in the queue\n"]);
  });

  it.each([
    [
      "another client's file",
      ["worker", "--client", "harbour", ...WORKER.slice(3)],
      "is of client ward, not of harbour",
    ],
    ["no such file", [...WORKER.slice(0, 4), "none.json", ...WORKER.slice(5)], "none.json: expected <id>.fedmkt.json"],
    ["something else", [...WORKER.slice(0, 4), "run.yaml", ...WORKER.slice(5)], "DOCUMENT_INVALID"],
    ["no data folder", [...WORKER.slice(0, 6), "nowhere"], "nowhere: expected the folder with the private data"],
    ["no client", ["worker", ...WORKER.slice(3)], "--client"],
  ])("refuses %s", async (_, argv, message) => {
    expect(await callCli(folder, argv)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
  });
});
