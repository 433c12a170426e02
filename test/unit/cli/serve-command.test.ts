import { describe, expect, it } from "@jest/globals";
import { SERVE_OPTIONS } from "../../../cli/src/serve-options.ts";
import type { Serving, StartServing } from "../../../gpu-workers/src/serving/serving.ts";
import { servingEnvironment } from "../../../shared/src/contracts/serving-environment.ts";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import { callCli } from "../../support/cli.ts";

const CWD = "/srv/fedmkt";

const SERVING: Serving = {
  url: "http://127.0.0.1:8080",
  metricsUrl: "http://127.0.0.1:9090/metrics",
  model: { id: "smollm2", contextTokens: 2048 },
  adapters: ["clinic-a"],
  hasChat: true,
  key: "fedmkt-made",
  asksForKeys: true,
  certificate: null,
  memory: { weightBytes: 512 * 1024 ** 2, tokenBytes: 46_080, tokens: 120_000 },
  drain: async () => ({ answered: 3, cutOff: 0 }),
  close: async () => {},
};

/** One `fedmkt serve` that is stopped as soon as it serves. */
async function serve(words: readonly string[], serving: Partial<Serving> = {}, env: Record<string, string> = {}) {
  const stop = new AbortController();
  const asked: StartServing[] = [];
  const result = await callCli(CWD, ["serve", ...words], {
    env,
    signal: stop.signal,
    startServing: async (options) => {
      asked.push(options);
      setTimeout(() => stop.abort(), 1);
      return { ...SERVING, ...serving };
    },
  });
  return { ...result, asked, variables: asked[0]?.variables };
}

describe("fedmkt serve", () => {
  it("takes its settings from options, places as they are meant where it is called", async () => {
    const { variables, exitCode } = await serve(
      [
        "--model",
        "models/smollm2",
        "--adapter",
        "a=adapters/a",
        "--adapter=b=/srv/b,c",
        "--registry",
        "runs",
        "--keys",
      ].concat([
        "keys.json",
        "--port",
        "0",
        "--host",
        "::1",
        "--device",
        "cuda",
        "--tls-certificate",
        "/etc/tls/a.pem",
      ]),
    );
    expect(exitCode).toBe(0);
    expect(variables).toEqual({
      FEDMKT_SERVE_MODEL: `${CWD}/models/smollm2`,
      FEDMKT_SERVE_ADAPTERS: JSON.stringify({ a: `${CWD}/adapters/a`, b: "/srv/b,c" }),
      FEDMKT_SERVE_REGISTRY: `${CWD}/runs`,
      FEDMKT_SERVE_KEYS: `${CWD}/keys.json`,
      FEDMKT_SERVE_PORT: "0",
      FEDMKT_SERVE_HOST: "::1",
      FEDMKT_DEVICE: "cuda",
      FEDMKT_SERVE_TLS_CERTIFICATE: "/etc/tls/a.pem",
    });
  });

  it("leaves what lies in AWS as it is, and what the environment says where no option does", async () => {
    const arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:fedmkt-dev-keys";
    const { variables } = await serve(
      ["--model", "s3://bucket/models/smollm2", "--keys", arn],
      {},
      { FEDMKT_SERVE_PORT: "8000", FEDMKT_SERVE_MODEL: "/models/other", AWS_REGION: "eu-central-1" },
    );
    expect(variables).toEqual({
      FEDMKT_SERVE_MODEL: "s3://bucket/models/smollm2",
      FEDMKT_SERVE_KEYS: arn,
      FEDMKT_SERVE_PORT: "8000",
      AWS_REGION: "eu-central-1",
    });
  });

  it("makes a key where none are named, and answers everybody only where that is asked for", async () => {
    expect((await serve(["--model", "m"])).asked[0].makesKey).toBe(true);
    expect((await serve(["--model", "m", "--no-keys"])).variables.FEDMKT_SERVE_KEYS).toBe("none");
  });

  it("has an option for every setting that is neither a secret nor a deployment's own", () => {
    const withOption = Object.values(SERVE_OPTIONS).map(({ variable }) => variable);
    expect(Object.keys(servingEnvironment.shape).sort()).toEqual(
      [...withOption, "FEDMKT_SERVE_UPSTREAM_KEY", "FEDMKT_SERVE_MEASURED_AS"].sort(),
    );
  });

  it("shows in one block where it is, what it serves, the key, and a line to try it by", async () => {
    const { stdout, stderr } = await serve(["--model", "m"]);
    expect(stderr).toBe(`
  address   http://127.0.0.1:8080/v1; metrics http://127.0.0.1:9090/metrics
  model     smollm2, 2048 tokens of context
  adapters  clinic-a
  memory    512.0 MiB of weights, 45.0 KiB a token of text; 120,000 tokens fit beside them
  key       fedmkt-made (of this process alone; fedmkt keys makes ones that last)

curl http://127.0.0.1:8080/v1/chat/completions \\
  -H "Authorization: Bearer fedmkt-made" \\
  -H "Content-Type: application/json" \\
  -d '{"model":"clinic-a","messages":[{"role":"user","content":"Who are you?"}],"max_tokens":32}'

Ctrl-C ends it once the answers under way are given.

no new requests; answers under way are given to their end, a second Ctrl-C cuts them off
`);
    expect(stdout).toBe("3 requests answered; drained in 0.0 s\n");
  });

  it("shows a line that fits keys of a file, TLS, and a model without a chat template", async () => {
    const { stderr } = await serve(["--model", "m", "--keys", "keys.json"], {
      ...{ key: null, hasChat: false, certificate: "/etc/tls/it's.pem", adapters: [], metricsUrl: null, memory: null },
      url: "https://localhost:8443",
    });
    expect(stderr).toContain(`curl https://localhost:8443/v1/completions \\
  --cacert '/etc/tls/it'\\''s.pem' \\
  -H "Authorization: Bearer $FEDMKT_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model":"smollm2","prompt":"Once upon a time","max_tokens":32}'`);
    expect(stderr).toContain("adapters  none");
    const open = await serve(["--model", "m", "--no-keys"], { key: null, asksForKeys: false });
    expect(open.stderr).toContain("everybody on this machine is answered");
    expect(open.stderr).not.toContain("Authorization");
  });

  it("writes one envelope with --json, once it answers", async () => {
    const { stdout } = await serve(["--model", "m", "--json"]);
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(1);
    const { drain: _, close: __, ...data } = SERVING;
    expect(JSON.parse(lines[0])).toEqual({ ok: true, data });
  });

  it("says how many answers were cut off", async () => {
    const { stdout, exitCode } = await serve(["--model", "m"], { drain: async () => ({ answered: 1, cutOff: 2 }) });
    expect([exitCode, stdout]).toEqual([0, "1 request answered; 2 answers cut off after 0.0 s\n"]);
  });

  it("says by its options what is wrong with the settings, and whatever else keeps it from starting", async () => {
    const failing = (error: Error) =>
      callCli(CWD, ["serve", "--model", "m"], { startServing: () => Promise.reject(error) });
    const refused = new InvalidInputError("ENVIRONMENT_INVALID", "environment: FEDMKT_SERVE_PORT: expected a number");
    expect(await failing(refused)).toMatchObject({
      exitCode: 2,
      stderr: "InvalidInputError (BAD_ARGUMENT): fedmkt serve: --port: expected a number\n",
    });
    const taken = new InvalidInputError("PORT_IN_USE", "127.0.0.1:8080: taken; name another one by FEDMKT_SERVE_PORT");
    expect(await failing(taken)).toMatchObject({
      exitCode: 2,
      stderr: "InvalidInputError (PORT_IN_USE): 127.0.0.1:8080: taken; name another one by --port\n",
    });
    expect(await failing(new TransientError("UPSTREAM_UNAVAILABLE", "no"))).toMatchObject({ exitCode: 1 });
  });

  it("is stopped as well while the model is being opened", async () => {
    const stop = new AbortController();
    const { exitCode, stderr } = await callCli(CWD, ["serve", "--model", "m"], {
      signal: stop.signal,
      startServing: async ({ signal }) => {
        stop.abort();
        throw signal?.reason;
      },
    });
    expect([exitCode, stderr]).toEqual([1, "TransientError (STOPPED_BY_HAND): stopped by hand before it answered\n"]);
  });

  it.each([
    [["--adapter", "clinic-a"], "--adapter: expected name=folder"],
    [["--adapter", "a=x", "--adapter", "a=y"], "got a twice"],
    [["--no-port"], "--port needs a value"],
    [["--device", "tpu"], "--device"],
    [["--prot", "80"], "did you mean --port?"],
    [["models/smollm2"], "expected no arguments, got models/smollm2; did you mean --model models/smollm2?"],
    [["--model", "models/smollm2", "runs"], "expected no arguments, got runs\n"],
  ])("refuses %j", async (words, message) => {
    const { exitCode, stderr, asked } = await serve(words);
    expect({ exitCode, stderr, asked }).toEqual({ exitCode: 2, stderr: expect.stringContaining(message), asked: [] });
  });

  it("tells what happens while it serves, a line each, of JSON where the rest is", async () => {
    const stop = new AbortController();
    const telling = (json: boolean) =>
      callCli(CWD, ["serve", "--model", "m", ...(json ? ["--json"] : [])], {
        signal: stop.signal,
        startServing: async ({ logger }) => {
          logger.warn("adapter refused", {
            party: "ward",
            run: undefined,
            was: null,
            error: new Error("another base"),
          });
          stop.abort();
          return SERVING;
        },
      });
    expect((await telling(false)).stderr).toContain("adapter refused party=ward error=another base\n");
    expect(JSON.parse((await telling(true)).stderr)).toEqual({
      ...{ level: "warn", message: "adapter refused", party: "ward", was: null, error: "another base" },
    });
  });
});
