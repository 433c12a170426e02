import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { controlKeys } from "../../../../shared/src/contracts/keys.ts";
import { readRunSpec } from "../../../../shared/src/contracts/read-run-spec.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import { sha256 } from "../../../../shared/src/formats/sha256.ts";
import { callCli, makeToyFolder, remove, write } from "../../../support/cli.ts";
import { CLOUD_SPEC } from "../../../support/cloud-spec.ts";
import { executionArn, FakeCloud } from "../../../support/fake-cloud.ts";

const RUN = ["run", "run.yaml", "--upload"];

describe("fedmkt run in a deployment", () => {
  let folder: string;
  let cloud: FakeCloud;
  const call = (argv: readonly string[], options: Parameters<typeof callCli>[2] = {}) =>
    callCli(folder, argv, { openCloud: async () => cloud, ...options });
  const uploaded = async () => cloud.objects.get(cloud.bucket("control"), controlKeys.spec("toy"), 1 << 20);
  /** ends the run as soon as somebody looks twice */
  const ending = (end: () => Promise<void>) => {
    let looks = 0;
    return { wait: async () => (++looks === 2 ? end() : undefined) };
  };

  beforeEach(() => {
    folder = makeToyFolder();
    write(folder, "run.yaml", CLOUD_SPEC);
    cloud = new FakeCloud();
    cloud.addClient("harbour");
    cloud.addClient("ward", { hosts: false, principal: "arn:aws:iam::444455556666:role/site" });
  });
  afterEach(() => remove(folder));

  const runs = async () => {
    const yaml = await uploaded();
    return cloud.addRun("toy", yaml, "RUNNING");
  };
  const succeeds = async () => {
    const yaml = await uploaded();
    await cloud.addRun("toy", yaml, "SUCCEEDED");
    await cloud.publish("toy", yaml);
  };

  it("uploads, follows until the end, and leaves the folder that a run on this machine leaves", async () => {
    let looks = 0;
    const wait = async () => {
      looks++;
      if (looks === 1) {
        await runs();
        const progress = { run: "toy", round: 1, stage: "client-train", party: "harbour", phase: "started" };
        const text = JSON.stringify({ level: "INFO", message: "progress", progress });
        cloud.lines[cloud.names.workerLogGroup] = [
          { atMs: 2000, stream: "a", text },
          { atMs: 2001, stream: "a", text: text.replace('"run":"toy"', '"run":"toy-2"') },
          { atMs: 2002, stream: "a", text: text.replace("started", "done") },
        ];
      }
      if (looks === 3) await succeeds();
    };
    const { exitCode, stdout, stderr } = await call(RUN, { wait });
    expect([exitCode, stderr.split("\n").filter((line) => !line.startsWith("copying"))]).toEqual([
      0,
      [
        "run toy: 2 rounds, 2 clients, in dev; results come to runs/toy",
        "round 1/2, harbour, client-train: started",
        "round 1/2, harbour, client-train: done",
        "",
      ],
    ]);
    expect(stdout).toContain("Adapter:  runs/toy/adapters/ward (ward)");
    const run = join(folder, "runs/toy");
    expect(readdirSync(run).sort()).toEqual(["adapters", "report.html", "run.json", "spec.yaml", "summary.json"]);
    expect(JSON.parse(readFileSync(join(run, "run.json"), "utf8"))).toMatchObject({
      status: "SUCCEEDED",
      wallTimeMs: 60_000,
      specHash: sha256(await uploaded()),
    });
    expect((await call(["status", "runs/toy"])).stdout).toContain("toy: succeeded (runs/toy)");
  });

  it("copies what all parties share once, under names that follow from the content, and nothing private", async () => {
    const first = await call([...RUN, "--detach"]);
    expect(first.stdout).toContain("run toy goes on in the cloud");
    const spec = readRunSpec(new TextDecoder().decode(await uploaded()), "uploaded");
    const shared = cloud.bucket("public");
    expect(spec.server.model).toMatch(new RegExp(`^s3://${shared}/models/[0-9a-f]{64}/server$`));
    expect(spec.public[0].path).toMatch(new RegExp(`^s3://${shared}/data/[0-9a-f]{64}/public.jsonl$`));
    expect(spec.clients.map((client) => client.private.path)).toEqual([
      "s3://private-harbour/harbour.jsonl",
      "ward.jsonl",
    ]);
    const keys = await cloud.objects.list(shared, "");
    expect(keys.filter((key) => /private|harbour\.jsonl|ward\.jsonl|heldout/.test(key))).toEqual([]);
    expect(keys).toHaveLength(3 * 3 + 1);
    write(folder, "run.yaml", CLOUD_SPEC.replace("name: toy", "name: toy-2"));
    expect((await call([...RUN, "--detach"])).stderr).not.toContain("copying");
  });

  it("copies a chat template with the file beside it in which it stands", async () => {
    write(folder, "chat/tokenizer_config.json", "{}");
    write(folder, "chat/chat_template.jinja", "{{ messages[0].content }}");
    write(folder, "whole/tokenizer_config.json", '{"chat_template": ""}');
    const withTemplate = (name: string) =>
      CLOUD_SPEC.replace("- public.jsonl", `- { path: public.jsonl, chatTemplate: ${name}/tokenizer_config.json }`);
    write(folder, "run.yaml", withTemplate("chat"));
    await call([...RUN, "--detach"]);
    const spec = readRunSpec(new TextDecoder().decode(await uploaded()), "uploaded");
    const shared = cloud.bucket("public");
    const place = spec.public[0].chatTemplate!;
    expect(place).toMatch(new RegExp(`^s3://${shared}/data/[0-9a-f]{64}/tokenizer_config.json$`));
    const beside = place.replace("tokenizer_config.json", "chat_template.jinja").slice(`s3://${shared}/`.length);
    expect(new TextDecoder().decode(await cloud.objects.get(shared, beside, 1 << 20))).toContain("messages[0]");
    write(folder, "run.yaml", withTemplate("whole").replace("name: toy", "name: toy-2"));
    await call([...RUN, "--detach"]);
    const keys = await cloud.objects.list(shared, "data/");
    expect(keys.filter((key) => key.endsWith("/tokenizer_config.json"))).toHaveLength(2);
    expect(keys.filter((key) => key.endsWith("/chat_template.jinja"))).toHaveLength(1);
  });

  it("names at once every place that the cloud cannot read, and every client that is not there", async () => {
    cloud.addClient("harbour", { hosts: false });
    cloud.stackList.delete(cloud.names.clientStack("ward"));
    write(
      folder,
      "run.yaml",
      CLOUD_SPEC.replace("rounds: 2", "rounds: 0")
        .replace("private: ward.jsonl", "private: /srv/ward.jsonl")
        .replace("- public.jsonl", "- s3://elsewhere/public.jsonl"),
    );
    const { exitCode, stderr } = await call(["run", "run.yaml"]);
    expect(exitCode).toBe(2);
    const [control, shared] = [cloud.bucket("control"), cloud.bucket("public")];
    expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
      "  line 2, rounds: expected at least 1, got 0",
      `  line 5, server.model: expected s3://${shared}/… or s3://${control}/material/server/…, got a path of this machine (models/server), which the cloud cannot read; --upload copies it to the public bucket`,
      expect.stringContaining("line 9, clients[0].model: client harbour: expected s3://"),
      expect.stringContaining("line 10, clients[0].private: client harbour: the deployment hosts no private data"),
      '  line 12, clients[1].id: the deployment "dev" has no client "ward"; fedmkt clients add ward --environment dev makes it',
      expect.stringContaining("line 13, clients[1].model: client ward: "),
      "  line 14, clients[1].private: client ward: expected a path below the site's data folder, such as private.jsonl, got /srv/ward.jsonl; its worker reads nothing else",
      expect.stringContaining(
        `line 18, public[0]: expected s3://${shared}/… or s3://${control}/material/…, got s3://elsewhere/public.jsonl`,
      ),
      expect.stringContaining("line 20, evaluation[0].data: the deployment hosts no private data"),
    ]);
    expect(await cloud.objects.list(control, "")).toEqual([]);
  });

  it.each([
    ["private: s3://private-ward/x.jsonl", "expected s3://private-harbour/…, the client's own bucket"],
    ["private: harbour.jsonl", "private data are put there by whoever may, never by this command"],
    [
      "private: s3://private-harbour/harbour.jsonl\n    validation: held-out.jsonl",
      "clients[0].validation: client harbour: expected s3://private-harbour/…, the client's own bucket",
    ],
  ])("refuses for a client of the cluster: %s", async (given, message) => {
    write(folder, "run.yaml", CLOUD_SPEC.replace("private: s3://private-harbour/harbour.jsonl", given));
    expect(await call(RUN)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
  });

  it.each([
    ["../ward.jsonl", "expected a path below the site's data folder"],
    ["s3://fedmkt-dev-public-111122223333-eu-central-1/ward.jsonl", "which others may read"],
  ])("refuses for a client with a site: %s", async (given, message) => {
    write(folder, "run.yaml", CLOUD_SPEC.replace("private: ward.jsonl", `private: ${given}`));
    expect(await call(RUN)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
  });

  it("takes another party's model for a mistake, and a site's own bucket for none", async () => {
    const control = cloud.bucket("control");
    write(
      folder,
      "run.yaml",
      CLOUD_SPEC.replace("private: ward.jsonl", "private: s3://the-sites-own/ward.jsonl").replace(
        "model: models/ward",
        `model: s3://${control}/material/harbour/model`,
      ),
    );
    const { stderr } = await call(RUN);
    expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
      expect.stringContaining(`material/ward/…, got s3://${control}/material/harbour/model`),
    ]);
  });

  it("refuses another spec under the same name with both hashes, before anything local is touched", async () => {
    await call([...RUN, "--detach"]);
    const before = sha256(await uploaded());
    write(folder, "run.yaml", CLOUD_SPEC.replace("rounds: 2", "rounds: 3"));
    const { exitCode, stderr } = await call(RUN);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(new RegExp(`RUN_CHANGED.*SHA-256 ${before}, now [0-9a-f]{64}`));
    expect(sha256(await uploaded())).toBe(before);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  it("finds the same spec there: waits for one that runs, fetches one that is finished, refuses one that failed", async () => {
    await call([...RUN, "--detach"]);
    await runs();
    const running = await call(RUN, ending(succeeds));
    expect(running.stderr).toContain(
      "run toy is there already, with the same spec: it is running; nothing is uploaded",
    );
    expect(running.exitCode).toBe(0);
    remove(join(folder, "runs"));
    expect((await call(RUN)).stderr).toContain("it is finished; nothing is uploaded");
    expect(existsSync(join(folder, "runs/toy/summary.json"))).toBe(true);
    await cloud.addRun("toy", await uploaded(), "FAILED", { error: "TransientError", cause: "a machine was lost" });
    expect(await call(RUN)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(
        "RUN_ENDED): run toy has failed before (TransientError: a machine was lost); fedmkt resume toy --environment dev",
      ),
    });
  });

  it("ends as the run's own first cause says, with the code that the logs have", async () => {
    const cause = "client ward: ward.jsonl: line 3: expected text";
    const fails = async () => {
      const record = {
        level: "ERROR",
        run: "toy",
        message: "job failed",
        code: "DATASET_INVALID",
        error: { message: cause },
      };
      cloud.lines[cloud.names.functionLogGroup("plan-run")] = [
        { atMs: 2000, stream: "s", text: JSON.stringify(record) },
      ];
      await cloud.addRun("toy", await uploaded(), "FAILED", { error: "InvalidInputError", cause });
    };
    const { exitCode, stdout } = await call([...RUN, "--json"], ending(fails));
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({
      name: "InvalidInputError",
      code: "DATASET_INVALID",
      message: `${cause}\nLogs: fedmkt logs toy --environment dev`,
    });
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  it("takes a run whose execution ended without a word for failed", async () => {
    const vanishes = async () => {
      const id = await runs();
      cloud.addExecution(id, { status: "TIMED_OUT" });
    };
    expect(await call(RUN, ending(vanishes))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("TIMED_OUT (RUN_FAILED): the execution ended: TIMED_OUT"),
    });
  });

  it("leaves the run alone on Ctrl-C", async () => {
    const controller = new AbortController();
    const { exitCode, stdout } = await call(RUN, { signal: controller.signal, wait: async () => controller.abort() });
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("run toy goes on in the cloud")]);
    expect(cloud.stopped).toEqual([]);
  });

  it("says so once where nothing takes the run", async () => {
    const controller = new AbortController();
    let nowMs = 0;
    const wait = async () => {
      nowMs += 50_000;
      if (nowMs > 250_000) controller.abort();
    };
    const { stderr } = await call(RUN, { signal: controller.signal, nowMs: () => nowMs, wait });
    expect(stderr.match(/nothing has taken the run/g)).toHaveLength(1);
  });

  it("refuses a download folder that holds something else before it uploads", async () => {
    write(folder, "precious/thesis.txt", "x");
    const { exitCode, stderr } = await call([...RUN, "--out", "precious"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("FOLDER_IN_USE")]);
    expect(await cloud.objects.list(cloud.bucket("control"), "")).toEqual([]);
  });

  it.each(["download", "stop", "resume", "logs", "status", "list", "clients"])(
    "says, as %s does, where there is no deployment, how to make one",
    async (name) => {
      cloud.stackList.clear();
      const argv = { list: [name, "--environment", "dev"], clients: [name, "list"] }[name] ?? [name, "toy"];
      expect(await call(argv)).toMatchObject({
        exitCode: 2,
        stderr:
          'InvalidInputError (DEPLOYMENT_MISSING): expected a deployment "dev" in account 111122223333, region eu-central-1, found none; fedmkt deploy --environment dev first\n',
      });
    },
  );

  it.each([
    [["run", "run.yaml"], "fedmkt run --local"],
    [["status", "toy"], "there is no folder toy here"],
  ])("tells whoever has no account what %j may have been meant for", async (argv, advice) => {
    const openCloud = () => Promise.reject(new InvalidInputError("REGION_MISSING", "expected an AWS region"));
    const { exitCode, stderr } = await callCli(folder, argv, { openCloud });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(advice)]);
  });

  it("does not take a resumed run's old failure for its end", async () => {
    await call([...RUN, "--detach"]);
    await cloud.addRun("toy", await uploaded(), "FAILED", { error: "TransientError", cause: "lost" });
    let looks = 0;
    const wait = async () => {
      looks++;
      const id = executionArn(cloud.names.runMachine, cloud.started[0].name);
      if (looks === 2) await cloud.setStatus({ run: "toy", status: "RUNNING", execution: id });
      if (looks === 3) {
        await cloud.publish("toy", await uploaded());
        await cloud.setStatus({ run: "toy", status: "SUCCEEDED", execution: id });
      }
    };
    const { exitCode } = await call(["resume", "toy"], { wait });
    expect([exitCode, looks]).toEqual([0, 3]);
    expect(cloud.started[0]).toMatchObject({
      machine: "fedmkt-dev-run",
      name: "toy-19700101000000000",
      input: {
        "detail-type": "Object Created",
        source: "aws.s3",
        detail: { bucket: { name: cloud.bucket("control") }, object: { key: "runs/toy/run.yaml" } },
      },
    });
  });
});
