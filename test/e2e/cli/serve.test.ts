import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import OpenAI from "openai";
import { fedmkt } from "../../support/cli-process.ts";
import { s3At, scriptedServer } from "../../support/scripted-server.ts";
import { type ServedProcess, serveInProcess } from "../../support/serving/served-process.ts";
import { freePort, makeServedFolder, remove, writeTinyAdapter } from "../../support/serving/tiny-endpoint.ts";

const pathOf = (file: string) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const PROGRAM = [process.execPath, pathOf("cli/bin/fedmkt.mjs")];
const STORY = { model: "model", prompt: "a secret ship", temperature: 0 };
const LOOK_MS = 50;
/** Programs start slowly on a machine that does other things too. */
const PATIENCE_MS = 120_000;

let folder: string;
beforeAll(() => {
  folder = makeServedFolder();
  writeTinyAdapter(join(folder, "adapters/first"), 3);
});
afterAll(() => remove(folder));

const small = () => ["--model", join(folder, "model"), "--port", "0", "--metrics-port", "0", "--threads", "1"];

describe("fedmkt serve, as a process", () => {
  let keysFile: string;
  let key: string;
  let served: ServedProcess;
  beforeAll(async () => {
    keysFile = join(folder, "keys.json");
    key = (await fedmkt("keys", "add", "ward", "--keys", keysFile)).stdout.trim();
    served = await serveInProcess(PROGRAM, [
      ...small(),
      ...["--adapter", `first=${join(folder, "adapters/first")}`, "--keys", keysFile],
    ]);
  }, PATIENCE_MS);
  afterAll(async () => {
    served?.child.kill("SIGKILL");
    await served?.ended;
  });

  it("says in one line where it is and what it serves", () => {
    expect(served.serving).toMatchObject({
      ...{ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), metricsUrl: null, adapters: ["first"] },
      ...{ model: { id: "model", contextTokens: 16_384 }, key: null, asksForKeys: true },
    });
  });

  it("answers whoever has a key, by fetch and by OpenAI's client", async () => {
    const answer = await served.ask("/v1/completions", { ...STORY, max_tokens: 6 }, key);
    const { choices } = (await answer.json()) as { choices: { text: string }[] };
    const client = new OpenAI({ baseURL: `${served.serving.url}/v1`, apiKey: key, maxRetries: 0 });
    const same = await client.completions.create({ ...STORY, max_tokens: 6 });
    expect(same.choices[0].text).toBe(choices[0].text);
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["model", "first"]);
    let streamed = "";
    const asked = { ...STORY, model: "first", max_tokens: 24, stream: true } as const;
    for await (const chunk of await client.completions.create(asked)) streamed += chunk.choices[0]?.text ?? "";
    const base = await client.completions.create({ ...STORY, max_tokens: 24 });
    expect(streamed).not.toBe(base.choices[0].text);
    expect((await fetch(`${served.serving.url}/v1/models`)).status).toBe(401);
  });

  it("keeps its port: another one says in one sentence, with exit code 2, what keeps it from starting", async () => {
    const { port } = new URL(served.serving.url);
    const { exitCode, stdout, stderr } = await fedmkt("serve", ...small(), "--port", port);
    expect({ exitCode, stdout, stderr }).toEqual({
      ...{ exitCode: 2, stdout: "" },
      stderr: expect.stringMatching(/^InvalidInputError \(PORT_IN_USE\): 127\.0\.0\.1:\d+: expected a free port.*\n$/),
    });
  }, 60_000);

  it("takes up a key that is replaced while it answers", async () => {
    const second = (await fedmkt("keys", "rotate", "ward", "--keys", keysFile, "--overlap", "0s")).stdout.trim();
    while ((await served.ask("/v1/models", undefined, second)).status !== 200) await sleep(LOOK_MS);
    expect((await served.ask("/v1/models", undefined, key)).status).toBe(401);
    key = second;
  }, 60_000);

  it("gives a stream to its end when SIGTERM comes, and ends with 0; it has said nothing of what was asked, or by which key", async () => {
    const stream = await served.ask("/v1/completions", { ...STORY, max_tokens: 1500, stream: true }, key);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value!;
    served.child.kill("SIGTERM");
    const before = text.length;
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect(text.length).toBeGreaterThan(10 * before);
    expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    const { exitCode, stdout } = await served.ended;
    expect([exitCode, stdout.trim().split("\n").length]).toEqual([0, 1]);
    const said = served.said();
    expect(said).toContain('"route":"/v1/completions"');
    for (const secret of ["secret ship", key]) expect(said).not.toContain(secret);
  });
});

describe("fedmkt serve without keys of its own", () => {
  it(
    "makes one, and ends at once at a person's second Ctrl-C, whatever is under way",
    async () => {
      const { serving, ask, child, ended } = await serveInProcess(PROGRAM, small());
      const stream = await ask("/v1/completions", { ...STORY, max_tokens: 16_000, stream: true }, serving.key!);
      const reader = stream.body!.getReader();
      await reader.read();
      child.kill("SIGINT");
      const again = setInterval(() => child.kill("SIGINT"), 200);
      const { exitCode } = await ended;
      clearInterval(again);
      expect(exitCode).not.toBe(0);
      const rest = async () => {
        while (!(await reader.read()).done);
      };
      await expect(rest()).rejects.toThrow();
    },
    PATIENCE_MS,
  );
});

describe.each([
  ["fedmkt serve", 1, [...PROGRAM.slice(1), "serve"]],
  ["the workers' container", 0, ["--no-warnings", pathOf("gpu-workers/src/container-entry.ts")]],
])("%s, stopped while its model is still being fetched", (_, expected, program) => {
  it(
    "ends soon",
    async () => {
      const server = await scriptedServer(() => {});
      try {
        const child = spawn(process.execPath, program, {
          stdio: "ignore",
          env: {
            ...{ PATH: process.env.PATH, TMPDIR: folder, FEDMKT_SERVE_MODEL: "s3://models/large" },
            ...{ FEDMKT_SERVE_PORT: "0", FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_KEYS: "none" },
            ...s3At(server.url),
          },
        });
        const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
        while (server.calls.length === 0) await sleep(LOOK_MS);
        child.kill("SIGTERM");
        expect(await ended).toBe(expected);
      } finally {
        await server.close();
      }
    },
    PATIENCE_MS,
  );
});

describe("the workers' container, told to serve", () => {
  it(
    "answers with the settings of its environment, and drains on SIGTERM",
    async () => {
      const keys = join(folder, "container-keys.json");
      const key = (await fedmkt("keys", "add", "ward", "--keys", keys)).stdout.trim();
      const port = await freePort();
      const child = spawn(process.execPath, ["--no-warnings", pathOf("gpu-workers/src/container-entry.ts")], {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...{ TMPDIR: folder, FEDMKT_SERVE_MODEL: join(folder, "model"), FEDMKT_SERVE_KEYS: keys },
          ...{ FEDMKT_SERVE_PORT: String(port), FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_THREADS: "1" },
        },
      });
      let text = "";
      // warnings go to standard error
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => {
          text += chunk;
        });
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      const statusOf = async (path: string) =>
        (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => null))?.status ?? null;
      while ((await statusOf("/ready")) !== 200) await sleep(LOOK_MS);
      const asking = fetch(`http://127.0.0.1:${port}/v1/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ ...STORY, max_tokens: 1500 }),
      });
      while (!(await statusOf("/health"))) await sleep(LOOK_MS);
      child.kill("SIGTERM");
      expect(await (await asking).json()).toMatchObject({ model: "model", choices: [{ finish_reason: "length" }] });
      expect(await ended).toBe(0);
      const log = text.trim().split("\n");
      const said = log.map((line) => JSON.parse(line).message);
      expect(said.toSorted()).toEqual(["endpoint answers", "endpoint ended", "endpoint is to stop", "request"]);
      for (const secret of ["secret ship", key]) expect(text).not.toContain(secret);
    },
    PATIENCE_MS,
  );
});
