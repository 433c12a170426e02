import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { makeKey } from "../../../shared/src/adapters/keys/make-key.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { registryKeys } from "../../../shared/src/contracts/keys.ts";
import type { ModelObject } from "../../../shared/src/contracts/openai/models.ts";
import { registryEntry } from "../../../shared/src/contracts/registry-entry.ts";
import { sha256 as hashOf } from "../../../shared/src/formats/sha256.ts";
import { type BaseIdentity, identifyBase } from "../../../shared/src/use-cases/serving/base-identity.ts";
import { EMBEDDED, type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import { buildInference, deployInference, inferenceChoice, resourcesOf } from "../../support/inference-templates.ts";
import { publishedAdapter } from "../../support/published-adapter.ts";
import { writeServedAdapter } from "../../support/served-model.ts";
import {
  containersOf,
  onMachine,
  type RunningContainer,
  startContainer,
  type TaskContainer,
  type TaskMachine,
} from "../../support/serving/task-container.ts";
import { freePort, makeServedFolder, remove } from "../../support/serving/tiny-endpoint.ts";

const MINUTES = 60_000;
const bucket = (name: string) => `fedmkt-dev-${name}-000000000000-us-east-1`;

/**
 * The task of an endpoint on GPU machines as the template has it, its containers as processes of this machine. `vllm` is the one that is
 * another program: in its place stands our own server, under the name, the address and the folder that vLLM is started with. Secrets
 * Manager and S3 are stand-ins at the task's network.
 */
describe("the deployed task of an endpoint", () => {
  const deployed = deployInference(buildInference());
  const { gateway, model, vllm } = containersOf(deployed, "fedmkt-dev-inference");
  const [secret] = resourcesOf(deployed, "AWS::SecretsManager::Secret");
  const { key, sha256 } = makeKey();
  const asked: string[] = [];

  let folder: string;
  let stores: EmbeddedStores;
  let machine: TaskMachine;
  const running: RunningContainer[] = [];
  let front: RunningContainer;

  const start = (container: TaskContainer, more?: Record<string, string>) => {
    running.push(startContainer(container, machine, more));
    return running.at(-1)!;
  };
  const url = () => `http://127.0.0.1:${machine.ports[8080]}`;
  const ask = (path: string, body?: object) =>
    fetch(`${url()}${path}`, {
      ...(body && { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
    });
  const story = async (of: string, more: object = {}) => {
    const answer = await ask("/v1/completions", {
      model: of,
      prompt: "the ship",
      temperature: 0,
      max_tokens: 12,
      ...more,
    });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { choices: { text: string }[] }).choices[0].text;
  };
  const models = async () => ((await (await ask("/v1/models")).json()) as { data: ModelObject[] }).data;
  const until = async (what: string, holds: () => Promise<boolean>) => {
    for (const end = Date.now() + MINUTES; !(await holds().catch(() => false)); await sleep(50))
      if (Date.now() > end)
        throw new Error(`${what}: not within a minute\n${running.map(({ output }) => output()).join("\n")}`);
  };
  const put = (name: string, Key: string, Body: Uint8Array) =>
    stores.s3.send(new PutObjectCommand({ Bucket: bucket(name), Key, Body }));

  /** As publish-run leaves it: the folder first, then the entry. Seeds make adapters that say different things. */
  async function publish(run: string, second: number, seed: number, base: Partial<BaseIdentity> = {}): Promise<void> {
    const served = await identifyBase(new FileMaterial(), join(folder, "model"));
    const { entry } = publishedAdapter({ party: "harbour", run, second, base: { ...served, ...base } });
    const place = writeServedAdapter(join(folder, "published", run), seed);
    const files = readdirSync(place).map((name) => ({ name, content: readFileSync(join(place, name)) }));
    for (const { name, content } of files) await put("artefacts", `${entry.adapter.folder}/${name}`, content);
    const adapter = {
      ...entry.adapter,
      bucket: bucket("artefacts"),
      files: files.map(({ name, content }) => ({ name, bytes: content.length, sha256: hashOf(content) })),
    };
    await put("registry", registryKeys.entry("harbour", run), encodeJson(registryEntry.parse({ ...entry, adapter })));
  }

  beforeAll(async () => {
    folder = makeServedFolder();
    stores = await startEmbeddedStores([bucket("public"), bucket("artefacts"), bucket("registry")], {
      secretsmanager: (operation, { SecretId }) => {
        asked.push(`${operation} ${SecretId}`);
        return {
          ARN: SecretId,
          VersionId: "1",
          SecretString: JSON.stringify({ version: 1, keys: [{ id: "ward", sha256 }] }),
        };
      },
    });
    machine = {
      volumes: mkdtempSync(join(tmpdir(), "fedmkt-task-")),
      ports: { 8080: await freePort(), 8000: await freePort(), 9090: await freePort() },
      environment: {
        AWS_ENDPOINT_URL: stores.url,
        AWS_REGION: EMBEDDED.region,
        AWS_ACCESS_KEY_ID: EMBEDDED.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: EMBEDDED.credentials.secretAccessKey,
      },
    };
    const prefix = inferenceChoice().model.split("/").slice(3).join("/");
    for (const file of readdirSync(join(folder, "model")))
      await put("public", `${prefix}/${file}`, readFileSync(join(folder, "model", file)));
    await publish("first", 1, 7);
  });
  afterAll(async () => {
    await Promise.all(running.map((container) => container.stop()));
    await stores?.stop();
    for (const place of [folder, machine?.volumes]) if (place) remove(place);
  });

  it(
    "fetches the model into the folder that the others read, and ends",
    async () => {
      expect(await start(model).ended).toBe(0);
      const there = onMachine(vllm, machine, vllm.Command![0]);
      expect(readdirSync(there).sort()).toEqual(readdirSync(join(folder, "model")).sort());
      for (const file of readdirSync(there))
        expect(readFileSync(join(there, file))).toEqual(readFileSync(join(folder, "model", file)));
    },
    MINUTES,
  );

  it(
    "is alive before the server behind is there, ready once it is, and lets in who has a key of the secret",
    async () => {
      front = start(gateway, { FEDMKT_SERVE_METRICS_PORT: String(machine.ports[9090]) });
      await until("the gateway listens", async () => (await fetch(`${url()}/health`)).status === 200);
      expect((await fetch(`${url()}/ready`)).status).toBe(503);
      expect(await front.health()).toBe(0);
      start(ourServerAs(vllm));
      await until("the gateway is ready", async () => (await fetch(`${url()}/ready`)).status === 200);
      expect((await fetch(`${url()}/v1/models`)).status).toBe(401);
      expect(asked).toContain(`GetSecretValue ${secret.arn}`);
      expect(asked.every((one) => one.endsWith(secret.arn))).toBe(true);
    },
    2 * MINUTES,
  );

  it(
    "answers with the base model under its name, and with what the registry has, each with its lineage",
    async () => {
      await until("the adapter is served", async () => (await models()).length === 2);
      expect((await models()).map(({ id, lineage }) => [id, lineage?.run ?? null])).toEqual([
        ["smollm2-135m", null],
        ["harbour", "first"],
      ]);
      const [base, adapted] = [await story("smollm2-135m"), await story("harbour")];
      expect(adapted).not.toBe(base);
      expect(await story("harbour")).toBe(adapted);
    },
    MINUTES,
  );

  it(
    "takes up what is published, and keeps what it has where that does not fit the model",
    async () => {
      const before = await story("harbour");
      await publish("second", 2, 11);
      await until("the newer one is served", async () => (await models())[1].lineage?.run === "second");
      const after = await story("harbour");
      expect(after).not.toBe(before);
      await publish("third", 3, 13, { weightsFingerprint: "0".repeat(64) });
      await until("the misfit is refused", async () => {
        const registry = (await (await ask("/v1/registry")).json()) as { refused: { run: string }[] };
        return JSON.stringify(registry).includes("third");
      });
      expect(await story("harbour")).toBe(after);
    },
    MINUTES,
  );

  it(
    "ends its answers within its time when it is stopped, and has written what CloudWatch is to know",
    async () => {
      const long = story("harbour", { max_tokens: 400 });
      await sleep(200);
      expect(await front.stop()).toBe(0);
      expect((await long).length).toBeGreaterThan(20);
      const measured = front.lines().filter((line) => "_aws" in line);
      for (const line of measured) expect(line).toMatchObject({ service: "fedmkt", endpoint: "fedmkt-dev-inference" });
      expect(measured.flatMap(({ QueueSeconds }) => QueueSeconds ?? []).length).toBeGreaterThan(4);
      expect(measured.flatMap(({ AdaptersRefused }) => AdaptersRefused ?? [])).toEqual([1]);
      // names and numbers: no prompt, no answer, no key
      for (const line of [front.output()]) for (const said of ["the ship", key]) expect(line).not.toContain(said);
    },
    3 * MINUTES,
  );

  /** vLLM's address, name and folders, with our own server in its place, which answers vLLM's calls for adapters. */
  function ourServerAs(container: TaskContainer): TaskContainer {
    const option = (name: string) => container.Command![container.Command!.indexOf(name) + 1];
    const adapters = gateway.Environment.find(({ Name }) => Name === "FEDMKT_SERVE_ADAPTER_FOLDER")!.Value;
    const environment = {
      FEDMKT_SERVE_MODEL: container.Command![0],
      FEDMKT_SERVE_NAME: option("--served-model-name"),
      FEDMKT_SERVE_HOST: option("--host"),
      FEDMKT_SERVE_PORT: option("--port"),
      FEDMKT_SERVE_RUNTIME_ADAPTERS: adapters,
      ...{ FEDMKT_SERVE_KEYS: "none", FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_THREADS: "1" },
    };
    return {
      ...container,
      ...{ EntryPoint: undefined, Command: undefined },
      Environment: Object.entries(environment).map(([Name, Value]) => ({ Name, Value })),
      MountPoints: [...container.MountPoints, { SourceVolume: "scratch", ContainerPath: "/tmp", ReadOnly: false }],
    };
  }
});
