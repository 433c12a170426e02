import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { buildApp } from "../../../../cdk/lib/synthesize.ts";
import { encodeJson } from "../../../../shared/src/contracts/json-document.ts";
import { controlKeys } from "../../../../shared/src/contracts/keys.ts";
import { siteFile } from "../../../../shared/src/contracts/site-file.ts";
import { callCli, makeToyFolder, remove } from "../../../support/cli.ts";
import { CLOUD_SPEC } from "../../../support/cloud-spec.ts";
import { FakeCloud } from "../../../support/fake-cloud.ts";
import { toyPlan } from "../../../support/toy-plan.ts";

const PRINCIPAL = "arn:aws:iam::444455556666:role/fedmkt-dev-site-ward";

/** The template that the CDK app makes: what is shown must be what is applied. */
const template = (() => {
  const { app, clientTemplate } = buildApp({ bundle: false, clientTemplate: true });
  return JSON.stringify(app.synth().getStackByName(clientTemplate!.stackName).template);
})();

describe("fedmkt clients", () => {
  let folder: string;
  let cloud: FakeCloud;
  const call = (argv: readonly string[], options: Parameters<typeof callCli>[2] = {}) =>
    callCli(folder, ["clients", ...argv], {
      openCloud: async () => cloud,
      clientTemplate: async () => template,
      ...options,
    });
  const added = () => cloud.changes.at(-1)!.parameters;

  beforeEach(() => {
    folder = makeToyFolder();
    cloud = new FakeCloud();
    cloud.addStack(cloud.names.stateStack, { ControlKeyArn: "arn:aws:kms:eu-central-1:111122223333:key/control" });
    cloud.addStack(cloud.names.pipelineStack, {}, { UseCloudCapacity: "false" });
  });
  afterEach(() => remove(folder));

  it("shows what the role may do before anything is made, and makes nothing without a yes", async () => {
    const { exitCode, stderr } = await call(["add", "ward", "--principal", PRINCIPAL], { answer: "n" });
    expect(exitCode).toBe(1);
    for (const line of [
      "stack fedmkt-dev-client-ward in account 111122223333, region eu-central-1",
      "role fedmkt-dev-party-ward may be taken by",
      `  AWS ${PRINCIPAL}, where sts:ExternalId StringEquals "`,
      "    on arn:aws:s3:::fedmkt-dev-artefacts-111122223333-eu-central-1/runs/*/parties/ward/*",
      "    on arn:aws:kms:eu-central-1:111122223333:key/control",
      "Make client ward? [y/N] ",
      "NotConfirmed (NOT_CONFIRMED): nothing was done",
    ])
      expect(stderr).toContain(line);
    expect(stderr).not.toContain("harbour");
    expect(stderr).not.toContain("AWS::S3::Bucket"); // its data stay at its site
    expect(cloud.changes).toEqual([]);
    expect((await call(["add", "ward"])).stderr).toContain("Nobody is at a terminal to answer: give --yes");
  });

  it("names what the stack makes without the CDK's hashes", async () => {
    const { stderr } = await call(["add", "harbour", "--yes"]);
    for (const line of ["    on the stack's PrivateBucket/*", "  AWS::S3::Bucket PrivateBucket"])
      expect(stderr.split("\n")).toContain(line);
    expect(stderr).not.toMatch(/[0-9A-F]{8}$/m);
  });

  it("gives the whole policy as JSON", async () => {
    const { data } = JSON.parse((await call(["add", "ward", "--yes", "--json"])).stdout);
    expect(data.policy.roleName).toBe("fedmkt-dev-party-ward");
    expect(data.policy.trust).toHaveLength(1);
    expect(data.policy.statements.every(({ Effect }: { Effect: string }) => Effect === "Allow")).toBe(true);
    expect(data.policy.statements.flatMap(({ Action }: { Action: string }) => Action)).toContain("s3:GetObject");
    expect(JSON.stringify(data.policy)).not.toContain("Fn::");
  });

  it("makes a client with a site of its own, and the file that its worker needs", async () => {
    const { exitCode, stdout } = await call(["add", "ward", "--principal", PRINCIPAL], { answer: "yes" });
    expect(exitCode).toBe(0);
    expect(added()).toEqual({
      Client: "ward",
      WorkerPrincipal: PRINCIPAL,
      ExternalId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      DataOwner: "",
      HostPrivateData: "no",
      UseCloudCapacity: "false",
    });
    const site = siteFile.parse(JSON.parse(readFileSync(join(folder, "ward.fedmkt.json"), "utf8")));
    expect(site).toMatchObject({ client: "ward", region: "eu-central-1", externalId: added().ExternalId });
    expect(site.buckets.control).toBe("fedmkt-dev-control-111122223333-eu-central-1");
    expect(stdout).toContain("fedmkt worker --client ward --config ward.fedmkt.json --data FOLDER");
  });

  it("keeps what is not said when a client is changed", async () => {
    await call(["add", "ward", "--principal", PRINCIPAL, "--external-id", "agreed", "--yes"]);
    await call(["add", "ward", "--data-owner", PRINCIPAL, "--yes"]);
    expect(added()).toMatchObject({ WorkerPrincipal: PRINCIPAL, ExternalId: "agreed", HostPrivateData: "no" });
    await call(["add", "harbour", "--yes"]);
    expect(added()).toMatchObject({ WorkerPrincipal: "", ExternalId: "", HostPrivateData: "yes" });
    await call(["add", "harbour", "--host-private-data", "no", "--yes"]);
    expect(added()).toMatchObject({ HostPrivateData: "no" });
  });

  it.each([
    [["add"], "expected ID"],
    [["ad", "ward"], "expected add, list, remove"],
    [["add", "Ward"], "expected lower-case letters"],
    [["add", "ward--two"], "and single -"],
    [["add", "server", "--yes"], "the server's own"],
    [["add", "ward", "--principal", "ward", "--yes"], "--principal: expected an IAM role's or user's ARN"],
    [["add", "ward", "--external-id", "a b", "--yes"], "--external-id: expected letters"],
    [
      ["add", "ward", "--data-owner", "arn:aws:sts::111122223333:assumed-role/a/session", "--yes"],
      "--data-owner: expected",
    ],
  ])("refuses %j", async (argv, message) => {
    expect(await call(argv)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
    expect(cloud.changes).toEqual([]);
  });

  it("lists clients with their queues", async () => {
    expect((await call(["list"])).stdout).toContain("no clients in dev");
    expect((await call(["list", "ward"])).stderr).toContain("expected no ID");
    cloud.addClient("ward", { hosts: false, principal: PRINCIPAL });
    cloud.counts["fedmkt-dev-party-ward"] = { waiting: 2, taken: 1 };
    expect((await call(["list"])).stdout).toBe(
      `ward: CREATE_COMPLETE; site ${PRINCIPAL}; keeps its private data; queue: 2 waiting, 1 taken\n`,
    );
  });

  it("removes a client, and says what stays", async () => {
    cloud.addClient("ward");
    const { exitCode, stderr } = await call(["remove", "ward"], { answer: "y" });
    expect(exitCode).toBe(0);
    expect(stderr).toContain("whoever has taken the role loses it at once");
    expect(stderr).toContain("runs/<run>/parties/ward/ in s3://fedmkt-dev-artefacts");
    expect(cloud.removed).toEqual(["fedmkt-dev-client-ward"]);
    expect((await call(["remove", "ward", "--yes"])).stderr).toContain("CLIENT_MISSING");
  });

  it("deletes private data only where that is asked for", async () => {
    cloud.addClient("ward");
    await cloud.objects.put("private-ward", "a.jsonl", new Uint8Array([1]));
    expect((await call(["remove", "ward", "--yes"])).stderr).toContain(
      "PRIVATE_DATA): s3://private-ward holds private data",
    );
    expect([cloud.removed, cloud.objects.emptied]).toEqual([[], []]);
    expect((await call(["remove", "ward", "--yes", "--delete-private-data"])).stdout).toContain(
      "1 versions of its private",
    );
    expect([cloud.removed, cloud.objects.emptied]).toEqual([["fedmkt-dev-client-ward"], ["private-ward"]]);
  });

  it("of prod, keeps the private data with their bucket", async () => {
    cloud = new FakeCloud("prod");
    cloud.addClient("ward");
    await cloud.objects.put("private-ward", "a.jsonl", new Uint8Array([1]));
    const { exitCode, stderr } = await call(["remove", "ward", "--yes", "--environment", "prod"]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("they stay, with their key")]);
    expect(cloud.objects.emptied).toEqual([]);
  });

  it("refuses to remove a client with which a run goes on", async () => {
    cloud.addClient("ward");
    await cloud.addRun("toy", new TextEncoder().encode(CLOUD_SPEC), "RUNNING");
    await cloud.objects.put(cloud.bucket("control"), controlKeys.plan("toy"), encodeJson(toyPlan()));
    expect(await call(["remove", "ward", "--yes"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("CLIENT_IN_USE): run toy goes on with client ward"),
    });
    expect(existsSync(join(folder, "ward.fedmkt.json"))).toBe(false);
    expect(cloud.removed).toEqual([]);
  });
});
