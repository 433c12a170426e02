import { describe, expect, it } from "@jest/globals";
import { isLoopback } from "../../../shared/src/contracts/loopback.ts";
import { servingEnvironment } from "../../../shared/src/contracts/serving-environment.ts";

const MODEL = { FEDMKT_SERVE_MODEL: "/models/smollm2" };
const refusedOf = (variables: Record<string, string>) => {
  const { error } = servingEnvironment.safeParse(variables);
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
};

describe("the settings of the inference endpoint", () => {
  it("need a model alone, and keep to this machine", () => {
    expect(servingEnvironment.parse(MODEL)).toEqual({
      ...MODEL,
      FEDMKT_DEVICE: "cpu",
      FEDMKT_SERVE_ADAPTERS: {},
      FEDMKT_SERVE_CONCURRENT: 16,
      FEDMKT_SERVE_DRAIN_SECONDS: 100,
      FEDMKT_SERVE_GATE_TOLERANCE: 0,
      FEDMKT_SERVE_HOST: "127.0.0.1",
      FEDMKT_SERVE_METRICS_PORT: 9090,
      FEDMKT_SERVE_PORT: 8080,
      FEDMKT_SERVE_PREFIX_MEBIBYTES: 256,
      FEDMKT_SERVE_QUEUED: 256,
      FEDMKT_SERVE_REGISTRY_ADAPTERS: 64,
      FEDMKT_SERVE_REGISTRY_SECONDS: 2,
    });
  });

  it("need a model or a server behind, or both", () => {
    expect(refusedOf({})).toEqual([
      expect.stringMatching(/^FEDMKT_SERVE_MODEL: expected a model's folder, or FEDMKT_/),
    ]);
    expect(refusedOf({ FEDMKT_SERVE_REGISTRY: "/runs" })).toEqual([expect.stringContaining("got neither")]);
    expect(refusedOf({ FEDMKT_SERVE_UPSTREAM: "http://127.0.0.1:8000" })).toEqual([]);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_UPSTREAM: "https://gpu.internal:8000/v1" })).toEqual([]);
    const following = { FEDMKT_SERVE_UPSTREAM: "http://127.0.0.1:8000", FEDMKT_SERVE_REGISTRY: "/runs" };
    expect(refusedOf(following)).toEqual([
      expect.stringContaining("FEDMKT_SERVE_MODEL: expected the model that the upstream"),
    ]);
    expect(refusedOf({ ...following, ...MODEL })).toEqual([]);
    expect(refusedOf({ FEDMKT_SERVE_UPSTREAM: "ftp://host" })).toEqual([expect.stringContaining("http(s) URL")]);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_UPSTREAM_KEY: "secret" })).toEqual([
      expect.stringContaining("FEDMKT_SERVE_UPSTREAM beside it"),
    ]);
  });

  it("read adapters from JSON, and name what is none", () => {
    const named = (text: string) => ({ ...MODEL, FEDMKT_SERVE_ADAPTERS: text });
    expect(servingEnvironment.parse(named('{"clinic-a":"/adapters/a"}')).FEDMKT_SERVE_ADAPTERS).toEqual({
      "clinic-a": "/adapters/a",
    });
    for (const text of ["clinic-a=/adapters/a", "[]", '{"clinic a":"/adapters/a"}', '{"a":1}', '{"a":""}', ""])
      expect(refusedOf(named(text))).toEqual([expect.stringMatching(/^FEDMKT_SERVE_ADAPTERS/)]);
    const many = Object.fromEntries(Array.from({ length: 1025 }, (_, at) => [`a${at}`, "/a"]));
    expect(refusedOf(named(JSON.stringify(many)))).toEqual(["FEDMKT_SERVE_ADAPTERS: expected at most 1024 adapters"]);
  });

  it.each([
    ["FEDMKT_SERVE_PORT", "65536"],
    ["FEDMKT_SERVE_PORT", ""],
    ["FEDMKT_SERVE_PORT", "80.5"],
    ["FEDMKT_SERVE_CONCURRENT", "0"],
    ["FEDMKT_SERVE_QUEUED", "-1"],
    ["FEDMKT_SERVE_REGISTRY_SECONDS", "0"],
    ["FEDMKT_SERVE_REGISTRY_ADAPTERS", "0"],
    ["FEDMKT_SERVE_GATE_TOLERANCE", "1e9"],
    ["FEDMKT_SERVE_DRAIN_SECONDS", "0"],
    ["FEDMKT_SERVE_NAME", "two words"],
    ["FEDMKT_SERVE_PARTY", "Clinic"],
    ["FEDMKT_SERVE_REGISTRY", "s3://"],
    ["FEDMKT_DEVICE", "tpu"],
  ])("refuse %s=%j by its name", (name, value) => {
    const refused = refusedOf({ ...MODEL, FEDMKT_SERVE_REGISTRY: "/runs", [name]: value });
    expect(refused).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  it.each([
    ["FEDMKT_SERVE_PORT", "80800", 'expected a whole number from 0 to 65535, got "80800"'],
    ["FEDMKT_SERVE_THREADS", "-1", 'expected a whole number from 1 to 256, got "-1"'],
    ["FEDMKT_SERVE_REGISTRY_SECONDS", "0", 'expected a number from 0.1 to 3600, got "0"'],
    ["FEDMKT_SERVE_GATE_TOLERANCE", "-0.1", 'expected a number of at least 0, got "-0.1"'],
    ["FEDMKT_SERVE_PORT", "8".repeat(100), `expected a whole number from 0 to 65535, got "${"8".repeat(40)}"`],
  ])("say what %s may be, and that it was %j", (name, value, message) => {
    expect(refusedOf({ ...MODEL, [name]: value })).toEqual([`${name}: ${message}`]);
  });

  it("take a party only of a registry", () => {
    const party = { ...MODEL, FEDMKT_SERVE_PARTY: "ward" };
    expect(refusedOf(party)).toEqual([
      "FEDMKT_SERVE_PARTY: expected FEDMKT_SERVE_REGISTRY beside it, whose adapters it chooses from",
    ]);
    expect(refusedOf({ ...party, FEDMKT_SERVE_REGISTRY: "/runs" })).toEqual([]);
  });

  it("allow no keys at all on loopback alone", () => {
    const open = { ...MODEL, FEDMKT_SERVE_KEYS: "none" };
    expect(refusedOf(open)).toEqual([]);
    expect(refusedOf({ ...open, FEDMKT_SERVE_HOST: "0.0.0.0" })).toEqual([
      "FEDMKT_SERVE_KEYS: expected keys: only on loopback may there be none, and the host is 0.0.0.0",
    ]);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_HOST: "0.0.0.0", FEDMKT_SERVE_KEYS: "/etc/keys.json" })).toEqual([]);
  });

  it("want both files of TLS or none, and two ports", () => {
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_TLS_CERTIFICATE: "a.pem" })).toHaveLength(1);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_TLS_KEY: "a.key" })).toHaveLength(1);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_TLS_CERTIFICATE: "a.pem", FEDMKT_SERVE_TLS_KEY: "a.key" })).toEqual([]);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_PORT: "9090" })).toEqual([
      "FEDMKT_SERVE_METRICS_PORT: expected a port of its own, got 9090 for both",
    ]);
    expect(refusedOf({ ...MODEL, FEDMKT_SERVE_PORT: "0", FEDMKT_SERVE_METRICS_PORT: "0" })).toEqual([]);
  });
});

describe("loopback", () => {
  it("is what this machine alone can reach", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1"]) expect(isLoopback(host)).toBe(true);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org", "1127.0.0.1"])
      expect(isLoopback(host)).toBe(false);
  });
});
