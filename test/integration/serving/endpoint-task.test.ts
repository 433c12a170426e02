import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { writeServedModel } from "../../support/served-model.ts";
import { type DeployedEndpoint, deployEndpoint } from "../../support/serving/deployed-endpoint.ts";
import { onMachine, type RunningContainer, type TaskContainer } from "../../support/serving/task-container.ts";
import { makeServedFolder, remove } from "../../support/serving/tiny-endpoint.ts";

const MINUTES = 60_000;

/** One container is another program, vLLM: in its place stands our own server, under the name, the address and the folders that vLLM is given. */
describe("the deployed task of an endpoint on a GPU machine", () => {
  let folder: string;
  let endpoint: DeployedEndpoint;
  let front: RunningContainer;

  beforeAll(async () => {
    folder = makeServedFolder();
    endpoint = await deployEndpoint("gpu", join(folder, "model"));
    await endpoint.publish("first", 1, 7);
  });
  afterAll(async () => {
    await endpoint?.close();
    remove(folder);
  });

  it(
    "fetches the model into the folder that the others read, and ends",
    async () => {
      const { containers, machine, start } = endpoint;
      expect(await start(containers.model).ended).toBe(0);
      const there = onMachine(containers.vllm, machine, containers.vllm.Command![0]);
      expect(readdirSync(there).sort()).toEqual(readdirSync(join(folder, "model")).sort());
      for (const file of readdirSync(there))
        expect(readFileSync(join(there, file))).toEqual(readFileSync(join(folder, "model", file)));
    },
    MINUTES,
  );

  it(
    "is alive before the server behind is there, ready once it is, and lets in who has a key of the secret",
    async () => {
      const { containers, machine, secretArn, secretsAsked, start, look, until } = endpoint;
      front = start(containers.gateway, { FEDMKT_SERVE_METRICS_PORT: String(machine.ports[9090]) });
      await until("the gateway listens", async () => (await look("/health")).status === 200);
      expect((await look("/ready")).status).toBe(503);
      expect(await front.health()).toBe(0);
      start(ourServerAs(containers));
      await until("the gateway is ready", async () => (await look("/ready")).status === 200);
      expect((await look("/v1/models")).status).toBe(401);
      expect(new Set(secretsAsked)).toEqual(new Set([`GetSecretValue ${secretArn}`]));
    },
    2 * MINUTES,
  );

  it(
    "answers with the base model under its name, and with what the registry has, each with its lineage",
    async () => {
      const { models, story, until } = endpoint;
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
      const { ask, models, publish, story, until } = endpoint;
      const before = await story("harbour");
      await publish("second", 2, 11);
      await until("the newer one is served", async () => (await models())[1].lineage?.run === "second");
      const after = await story("harbour");
      expect(after).not.toBe(before);
      await publish("third", 3, 13, { weightsFingerprint: "0".repeat(64) });
      await until("the misfit is refused", async () => (await (await ask("/v1/registry")).text()).includes("third"));
      expect(await story("harbour")).toBe(after);
    },
    MINUTES,
  );

  it(
    "ends its answers within its time when it is stopped, and has written what CloudWatch is to know",
    async () => {
      const long = endpoint.story("harbour", { max_tokens: 400 });
      await sleep(200);
      expect(await front.stop()).toBe(0);
      expect((await long).length).toBeGreaterThan(20);
      const measured = front.lines().filter((line) => "_aws" in line);
      for (const line of measured) expect(line).toMatchObject({ service: "fedmkt", endpoint: "fedmkt-dev-inference" });
      expect(measured.flatMap(({ QueueSeconds }) => QueueSeconds ?? []).length).toBeGreaterThan(4);
      expect(measured.flatMap(({ AdaptersRefused }) => AdaptersRefused ?? [])).toEqual([1]);
      // names and numbers: neither a prompt nor a key
      for (const said of ["the ship", endpoint.key]) expect(front.output()).not.toContain(said);
    },
    3 * MINUTES,
  );
});

describe("the deployed task of an endpoint on Fargate", () => {
  let folder: string;
  let endpoint: DeployedEndpoint;

  beforeAll(async () => {
    folder = makeServedFolder();
    endpoint = await deployEndpoint("cpu", writeServedModel(join(folder, "chat")));
    await endpoint.publish("first", 1, 7);
  });
  afterAll(async () => {
    await endpoint?.close();
    remove(folder);
  });

  it(
    "is one container, which fetches its model and answers chats by the model's template, with adapters of the registry",
    async () => {
      const { ask, containers, machine, models, start, story, look, until } = endpoint;
      expect(Object.keys(containers)).toEqual(["gateway"]);
      const front = start(containers.gateway, { FEDMKT_SERVE_METRICS_PORT: String(machine.ports[9090]) });
      await until("it is ready", async () => (await look("/ready")).status === 200);
      expect((await models()).map(({ id }) => id)).toEqual(["smollm2-135m", "harbour"]);
      expect(await story("harbour")).not.toBe(await story("smollm2-135m"));
      const chat = await ask("/v1/chat/completions", {
        ...{ model: "harbour", max_tokens: 4, temperature: 0 },
        messages: [{ role: "user", content: "the ship" }],
      });
      expect([chat.status, await chat.json()]).toMatchObject([200, { usage: { completion_tokens: 4 } }]);
      expect(await front.stop()).toBe(0);
    },
    3 * MINUTES,
  );
});

/** vLLM's address, name and folders, with our own server in its place, which answers vLLM's calls for adapters. */
function ourServerAs({ vllm, gateway }: Record<string, TaskContainer>): TaskContainer {
  const option = (name: string) => vllm.Command![vllm.Command!.indexOf(name) + 1];
  const environment = {
    FEDMKT_SERVE_MODEL: vllm.Command![0],
    FEDMKT_SERVE_NAME: option("--served-model-name"),
    FEDMKT_SERVE_HOST: option("--host"),
    FEDMKT_SERVE_PORT: option("--port"),
    FEDMKT_SERVE_RUNTIME_ADAPTERS: gateway.Environment.find(({ Name }) => Name === "FEDMKT_SERVE_ADAPTER_FOLDER")!
      .Value,
    ...{ FEDMKT_SERVE_KEYS: "none", FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_THREADS: "1" },
  };
  return {
    ...vllm,
    ...{ EntryPoint: undefined, Command: undefined },
    Environment: Object.entries(environment).map(([Name, Value]) => ({ Name, Value })),
    MountPoints: [...vllm.MountPoints, { SourceVolume: "scratch", ContainerPath: "/tmp", ReadOnly: false }],
  };
}
