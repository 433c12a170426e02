import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { planDependencies, stageDependencies, workerTasks } from "../../../shared/src/runtime/dependencies.ts";

const VARIABLES = {
  FEDMKT_CONTROL_BUCKET: "fedmkt-control",
  FEDMKT_ARTEFACT_BUCKET: "fedmkt-artefacts",
  FEDMKT_REGISTRY_BUCKET: "fedmkt-registry",
};
const OUTER = { ...process.env };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fedmkt-site-"));
  writeFileSync(join(folder, "private.jsonl"), "mine");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  process.env = { ...OUTER };
});

describe("what a stage is given", () => {
  it("names the buckets of the environment", () => {
    expect(stageDependencies(VARIABLES).buckets).toEqual({
      control: "fedmkt-control",
      artefacts: "fedmkt-artefacts",
      registry: "fedmkt-registry",
    });
  });

  it("is refused where variables are missing, by their names", () => {
    expect(() => stageDependencies({})).toThrow(
      /FEDMKT_CONTROL_BUCKET.*FEDMKT_ARTEFACT_BUCKET.*FEDMKT_REGISTRY_BUCKET/,
    );
    expect(() => workerTasks({})).toThrow(/FEDMKT_CLUSTER/);
  });

  it("holds the executions where a run is planned", () => {
    expect(planDependencies(VARIABLES).executions.standing).toBeInstanceOf(Function);
  });

  it("says where a run is planned whether jobs in the cluster may read this machine's files", () => {
    expect(planDependencies(VARIABLES).readsLocalFiles).toBe(false);
    expect(planDependencies({ ...VARIABLES, FEDMKT_LOCAL_FILES: "true" }).readsLocalFiles).toBe(true);
  });

  it("reads no file of the machine unless it is told to", async () => {
    const file = join(folder, "private.jsonl");
    await expect(stageDependencies(VARIABLES).material.read(file, 10)).rejects.toMatchObject({
      code: "LOCAL_FILES_REFUSED",
    });
    const local = stageDependencies({ ...VARIABLES, FEDMKT_LOCAL_FILES: "true" });
    expect(await local.material.read(file, 10)).toHaveLength(4);
  });

  it.each(["true", "false"])(
    "reads below a site's data folder and nowhere else (local files otherwise: %s)",
    async (FEDMKT_LOCAL_FILES) => {
      const { material } = stageDependencies({ ...VARIABLES, FEDMKT_LOCAL_FILES, FEDMKT_DATA_FOLDER: folder });
      expect(await material.read("private.jsonl", 10)).toHaveLength(4);
      await expect(material.read("/etc/hostname", 1000)).rejects.toMatchObject({ code: "LOCATION_OUTSIDE" });
    },
  );
});

describe("a worker that acts as its party", () => {
  let server: Server;
  /** which access key asked for what, as an S3 that lets each identity into its own buckets alone */
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      const key = /Credential=([A-Z]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "nobody";
      const bucket = request.url!.split("/")[1];
      asked.push(`${key} ${request.method} ${bucket}`);
      const allowed = bucket.startsWith("fedmkt") ? key === "PARTY" : key === "SITE";
      response.writeHead(allowed ? 200 : 403, { "content-length": allowed ? 5 : 0, etag: '"e"' });
      response.end(allowed && request.method === "GET" ? "bytes" : undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    Object.assign(process.env, { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "SITE", AWS_SECRET_ACCESS_KEY: "s" });
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const asParty = () =>
    stageDependencies(VARIABLES, { credentials: { accessKeyId: "PARTY", secretAccessKey: "s", sessionToken: "t" } });

  it("reads and writes the run's objects with the party's credentials alone", async () => {
    const { objects } = asParty();
    await objects.get("fedmkt-control", "runs/toy/plan.json", 10);
    await objects.head("fedmkt-artefacts", "runs/toy/x");
    expect(asked).toEqual(["PARTY GET fedmkt-control", "PARTY HEAD fedmkt-artefacts"]);
  });

  it("reads models as the party, and its site's own bucket as itself", async () => {
    const { material } = asParty();
    await material.read("s3://fedmkt-public/tokenizer.json", 10);
    await material.read("s3://clinic/private.jsonl", 10);
    expect(asked).toEqual(["PARTY GET fedmkt-public", "PARTY GET clinic", "SITE GET clinic"]);
  });

  it("never tries its own credentials on the run's objects", async () => {
    await expect(asParty().objects.get("clinic", "runs/toy/plan.json", 10)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
    expect(asked).toEqual(["PARTY GET clinic"]);
  });
});
