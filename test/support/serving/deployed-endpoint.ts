import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { makeKey } from "../../../shared/src/adapters/keys/make-key.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { registryKeys } from "../../../shared/src/contracts/keys.ts";
import type { ModelObject } from "../../../shared/src/contracts/openai/models.ts";
import { registryEntry } from "../../../shared/src/contracts/registry-entry.ts";
import { sha256 as hashOf } from "../../../shared/src/formats/sha256.ts";
import { type BaseIdentity, identifyBase } from "../../../shared/src/use-cases/serving/base-identity.ts";
import { EMBEDDED, startEmbeddedStores } from "../embedded-stores.ts";
import { buildInference, deployInference, inferenceChoice, resourcesOf } from "../inference-templates.ts";
import { publishedAdapter } from "../published-adapter.ts";
import { writeServedAdapter } from "../served-model.ts";
import {
  containersOf,
  type RunningContainer,
  startContainer,
  type TaskContainer,
  type TaskMachine,
} from "./task-container.ts";
import { freePort, remove } from "./tiny-endpoint.ts";

const MINUTE_MS = 60_000;
const LOOK_MS = 50;
const bucket = (name: string) => `fedmkt-dev-${name}-000000000000-us-east-1`;

/** The task of an endpoint as the template has it, on a machine where its containers are processes. */
export interface DeployedEndpoint {
  containers: Record<string, TaskContainer>;
  machine: TaskMachine;
  secretArn: string;
  /** what was asked of Secrets Manager */
  secretsAsked: string[];
  /** of the one key that its secret has */
  key: string;
  start(container: TaskContainer, more?: Record<string, string>): RunningContainer;
  /** Without a key. */
  look(path: string): Promise<Response>;
  /** With the key. */
  ask(path: string, body?: object): Promise<Response>;
  /** a greedy text of a model or adapter */
  story(of: string, more?: object): Promise<string>;
  models(): Promise<ModelObject[]>;
  /** Waits, a minute at most. @throws Error with what the containers said */
  until(what: string, holds: () => Promise<boolean>): Promise<void>;
  /** As publish-run leaves an adapter of harbour: the folder first, then the entry. Seeds make adapters that say different things. */
  publish(run: string, second: number, seed: number, base?: Partial<BaseIdentity>): Promise<void>;
  close(): Promise<void>;
}

/**
 * S3 and Secrets Manager are stand-ins; the endpoint's own addresses, names and ARNs are the template's.
 * @param model - a folder, which is put where the endpoint looks for its model
 */
export async function deployEndpoint(service: "gpu" | "cpu", model: string): Promise<DeployedEndpoint> {
  const deployed = deployInference(buildInference({ service }));
  const [{ arn: secretArn }] = resourcesOf(deployed, "AWS::SecretsManager::Secret");
  const { key, sha256 } = makeKey();
  const secretsAsked: string[] = [];
  const stores = await startEmbeddedStores([bucket("public"), bucket("artefacts"), bucket("registry")], {
    secretsmanager: (operation, { SecretId }) => {
      secretsAsked.push(`${operation} ${SecretId}`);
      const SecretString = JSON.stringify({ version: 1, keys: [{ id: "ward", sha256 }] });
      return { ARN: SecretId, VersionId: "1", SecretString };
    },
  });
  const machine: TaskMachine = {
    volumes: mkdtempSync(join(tmpdir(), "fedmkt-task-")),
    ports: { 8080: await freePort(), 8000: await freePort(), 9090: await freePort() },
    environment: {
      AWS_ENDPOINT_URL: stores.url,
      AWS_REGION: EMBEDDED.region,
      AWS_ACCESS_KEY_ID: EMBEDDED.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: EMBEDDED.credentials.secretAccessKey,
    },
  };
  const put = (name: string, Key: string, Body: Uint8Array) =>
    stores.s3.send(new PutObjectCommand({ Bucket: bucket(name), Key, Body }));
  const prefix = inferenceChoice().model.split("/").slice(3).join("/");
  for (const file of readdirSync(model)) await put("public", `${prefix}/${file}`, readFileSync(join(model, file)));

  const running: RunningContainer[] = [];
  const url = `http://127.0.0.1:${machine.ports[8080]}`;
  const look = (path: string) => fetch(`${url}${path}`);
  const ask = (path: string, body?: object) =>
    fetch(`${url}${path}`, {
      ...(body && { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
    });
  return {
    containers: containersOf(deployed, "fedmkt-dev-inference"),
    ...{ machine, secretArn, secretsAsked, key, look, ask },
    start(container, more) {
      running.push(startContainer(container, machine, more));
      return running.at(-1)!;
    },
    async story(of, more = {}) {
      const answer = await ask("/v1/completions", {
        model: of,
        prompt: "the ship",
        temperature: 0,
        max_tokens: 12,
        ...more,
      });
      if (answer.status !== 200) throw new Error(`${of}: ${answer.status} ${await answer.text()}`);
      return ((await answer.json()) as { choices: { text: string }[] }).choices[0].text;
    },
    models: async () => ((await (await ask("/v1/models")).json()) as { data: ModelObject[] }).data,
    async until(what, holds) {
      for (const end = Date.now() + MINUTE_MS; !(await holds().catch(() => false)); await sleep(LOOK_MS))
        if (Date.now() > end)
          throw new Error(`${what}: not within a minute\n${running.map(({ output }) => output()).join("\n")}`);
    },
    async publish(run, second, seed, base = {}) {
      const served = await identifyBase(new FileMaterial(), model);
      const { entry } = publishedAdapter({ party: "harbour", run, second, base: { ...served, ...base } });
      const place = writeServedAdapter(join(machine.volumes, "published", run), seed);
      const files = readdirSync(place).map((name) => ({ name, content: readFileSync(join(place, name)) }));
      for (const { name, content } of files) await put("artefacts", `${entry.adapter.folder}/${name}`, content);
      const adapter = {
        ...entry.adapter,
        bucket: bucket("artefacts"),
        files: files.map(({ name, content }) => ({ name, bytes: content.length, sha256: hashOf(content) })),
      };
      await put("registry", registryKeys.entry("harbour", run), encodeJson(registryEntry.parse({ ...entry, adapter })));
    },
    async close() {
      await Promise.all(running.map((container) => container.stop()));
      await stores.stop();
      remove(machine.volumes);
    },
  };
}
