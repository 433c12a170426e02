import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import type { ModelObject } from "../../../shared/src/contracts/openai/models.ts";
import type { RefusedAdapter } from "../../../shared/src/ports/served-names.ts";
import { identifyBase } from "../../../shared/src/use-cases/serving/base-identity.ts";
import { adapterPlace, publishInFolder } from "../../support/published-adapter.ts";
import {
  freePort,
  makeServedFolder,
  publishTinyAdapter,
  remove,
  startTinyEndpoint,
  type TinyEndpoint,
} from "../../support/serving/tiny-endpoint.ts";

const ASKED = { model: "ward", prompt: "the ship and the", max_tokens: 8, temperature: 0 };

/** As in the cloud, but with this project's own server behind instead of vLLM's: adapters go from the registry to it by vLLM's calls. */
describe("a gateway that follows a registry in front of another server", () => {
  let folder: string;
  let port: string;
  let behind: TinyEndpoint | null = null;
  let gateway: TinyEndpoint | null = null;
  beforeEach(async () => {
    folder = makeServedFolder();
    for (const name of ["runs", "shared"]) mkdirSync(join(folder, name));
    port = String(await freePort());
    behind = await startBehind();
  });
  afterEach(async () => {
    await gateway?.close();
    await behind?.close();
    [gateway, behind] = [null, null];
    remove(folder);
  });

  const startBehind = () =>
    startTinyEndpoint(folder, {
      ...{ FEDMKT_SERVE_PORT: port, FEDMKT_SERVE_KEYS: "none", FEDMKT_SERVE_NAME: "behind" },
      FEDMKT_SERVE_RUNTIME_ADAPTERS: join(folder, "shared"),
    });
  const startGateway = () =>
    startTinyEndpoint(folder, {
      ...{ FEDMKT_SERVE_UPSTREAM: `http://127.0.0.1:${port}`, FEDMKT_SERVE_NAME: "tiny" },
      ...{ FEDMKT_SERVE_REGISTRY: join(folder, "runs"), FEDMKT_SERVE_REGISTRY_SECONDS: "0.1" },
      FEDMKT_SERVE_ADAPTER_FOLDER: join(folder, "shared"),
    });
  const textOf = async (endpoint: TinyEndpoint, model: string) => {
    const answer = await endpoint.ask("/v1/completions", { ...ASKED, model });
    return ((await answer.json()) as { choices: { text: string }[] }).choices[0].text;
  };
  const modelsOf = async (endpoint: TinyEndpoint) =>
    ((await (await endpoint.ask("/v1/models")).json()) as { data: ModelObject[] }).data;
  const until = async (holds: () => Promise<boolean>) => {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const isServed = (run: string) => async () =>
    (await modelsOf(gateway!)).some(({ id, lineage }) => id === "ward" && lineage?.run === run);

  it("has the server behind load each adapter, asks it by the adapter's own name, and has the old one unloaded", async () => {
    await publishTinyAdapter(folder, { party: "ward", run: "first", second: 1, weight: 1 });
    gateway = await startGateway();
    expect((await modelsOf(gateway)).map(({ id }) => id)).toEqual(["tiny", "ward"]);
    expect((await modelsOf(behind!)).map(({ id }) => id)).toEqual(["behind", "ward@first"]);
    const first = await textOf(gateway, "ward");
    expect(first).toBe(await textOf(behind!, "ward@first"));

    await publishTinyAdapter(folder, { party: "ward", run: "second", second: 2, weight: 9 });
    await until(isServed("second"));
    await until(async () => (await modelsOf(behind!)).length === 2);
    expect((await modelsOf(behind!)).map(({ id }) => id)).toEqual(["behind", "ward@second"]);
    expect(await textOf(gateway, "ward")).toBe(await textOf(behind!, "ward@second"));

    rmSync(adapterPlace(join(folder, "runs"), { party: "ward", run: "second" }), { recursive: true });
    await until(isServed("first"));
    expect(await textOf(gateway, "ward")).toBe(first);
  });

  it("refuses what the server behind refuses, and goes on with what is served", async () => {
    await publishTinyAdapter(folder, { party: "ward", run: "first", second: 1, weight: 1 });
    gateway = await startGateway();
    // what its registry entry says is true; but its matrices are a quarter as wide as the model's
    const base = await identifyBase(new FileMaterial(), join(folder, "model"));
    publishInFolder(join(folder, "runs"), { party: "ward", run: "second", second: 2, base });
    const refusals = async () =>
      ((await (await gateway!.ask("/v1/registry")).json()) as { refused: RefusedAdapter[] }).refused;
    await until(async () => (await refusals()).length > 0);
    expect(await refusals()).toMatchObject([
      { run: "second", code: "ADAPTER_INVALID", reason: expect.stringContaining("the server behind refuses it") },
    ]);
    expect(await isServed("first")()).toBe(true);
  });

  it("has adapters loaded again by a server behind that was started anew; until then 503 is answered, never 404", async () => {
    await publishTinyAdapter(folder, { party: "ward", run: "first", second: 1, weight: 1 });
    gateway = await startGateway();
    const text = await textOf(gateway, "ward");
    const statuses: number[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) statuses.push((await gateway!.ask("/v1/completions", ASKED)).status);
    })();
    await behind!.close();
    await until(async () => statuses.at(-1) === 503);
    behind = await startBehind();
    await until(async () => statuses.at(-1) === 200);
    isOver = true;
    await asking;
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(await textOf(gateway, "ward")).toBe(text);
    expect((await modelsOf(behind)).map(({ id }) => id)).toEqual(["behind", "ward@first"]);
    expect(gateway.told).toContain("warn: adapters loaded again: the server behind had lost them");
  });
});
