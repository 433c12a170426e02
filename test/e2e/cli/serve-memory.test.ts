import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  failuresOf,
  type ServingProcess,
  startLoad,
  startServingProcess,
  TELLS_MEMORY,
} from "../../support/serving/loaded-process.ts";
import { makeServedFolder } from "../../support/serving/tiny-endpoint.ts";

/** By then all code has run, and what is kept of beginnings has filled its room. */
const WARM_UP = 600;
const REQUESTS = 1_200;
/** What a request may leave behind is less than one object of a few fields with a text. */
const BYTES_A_REQUEST = 1_000;

/** `npm run bench -- hot-adapters` and `hostile-requests` do it at length. */
describe("fedmkt serve", () => {
  let folder: string;
  let serving: ServingProcess;
  beforeAll(async () => {
    folder = makeServedFolder();
    serving = await startServingProcess(
      ["--model", join(folder, "model"), "--name", "tiny", "--queued", "64", "--prefix-mebibytes", "1"],
      TELLS_MEMORY,
    );
  }, 60_000);
  afterAll(async () => {
    await serving?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A stream that its reader leaves after the first bytes of it. */
  const leave = async () => {
    const body = { model: "tiny", prompt: "the end", max_tokens: 1000, temperature: 0, stream: true };
    const { url, headers } = serving;
    const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
    for await (const _ of answer.body!) break;
  };
  const serve = async (requests: number) => {
    const load = startLoad(serving, "tiny", 4, 2);
    while (load.answered() < requests) await leave();
    expect(failuresOf(await load.stop())).toBe(0);
  };

  it("keeps nothing of requests that were answered or given up", async () => {
    await serve(WARM_UP);
    const before = await serving.keptMb();
    expect(before).toBeGreaterThan(10);
    await serve(REQUESTS);
    expect(1e6 * (await serving.keptMb())).toBeLessThan(1e6 * before + BYTES_A_REQUEST * REQUESTS);
  }, 240_000);
});
