import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { stringify } from "yaml";
import { PRICE_TABLE } from "../../../shared/src/core/cost/prices.ts";
import { callCli } from "../../support/cli.ts";
import { writeTinyFederation } from "../../support/tiny-federation.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-plan-"));
const spec = writeTinyFederation(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function plan(given: object, ...args: string[]) {
  writeFileSync(join(folder, "run.yaml"), stringify(given));
  return callCli(folder, ["plan", "run.yaml", ...args]);
}
const planned = async (given: object, ...args: string[]) =>
  JSON.parse((await plan(given, "--json", ...args)).stdout) as {
    ok: boolean;
    data: {
      workers: { jobs: number; paidHours: number };
      requests: { stage: string; runs: number }[];
      lines: { service: string; dollars: number }[];
      dollars: number;
      budgetAfterRound: number[];
      budget: { stopsAfterRound: number | null } | null;
      warnings: string[];
      parties: { id: string; modelType: string | null; memoryBytes: { plain: number; checkpointed: number } | null }[];
      assumptions: string[];
    };
    error: { code: string };
  };

describe("fedmkt plan", () => {
  it("tells dollars by service with the prices' date, requests by stage, limits and what is assumed", async () => {
    const { exitCode, stdout } = await plan(spec, "--instance", "fargate-4vcpu-16gb");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Prices of ${PRICE_TABLE.date} in us-east-1`);
    for (const text of ["Step Functions", "S3 requests", "align-shard", "of 25000 events", "Assumed, not counted:"])
      expect(stdout).toContain(text);
  });

  it("looks into models and data: what the run would do, job by job", async () => {
    const { data } = await planned(spec);
    const runsOf = (stage: string) => data.requests.find((row) => row.stage === stage)!.runs;
    expect(data.workers.jobs).toBe(2 * (3 * 2 + 2) + 1 + runsOf("run-baseline"));
    expect(runsOf("align-shard")).toBe(2 * 2 * 2 * 2);
    expect(data.assumptions.some((line) => line.includes("not looked into"))).toBe(false);
  });

  it("says after which round a budget ends the run", async () => {
    const all = await planned(spec, "--on-demand");
    expect(all.data.budget).toBeNull();
    const spent = await planned({ ...spec, budget: { dollars: 0.0001 } }, "--on-demand");
    expect(spent.data.budget).toMatchObject({ stopsAfterRound: 1 });
    const enough = await planned({ ...spec, budget: { dollars: 1000 } }, "--on-demand");
    expect(enough.data.budget).toMatchObject({ stopsAfterRound: null });
    expect((await plan({ ...spec, budget: { dollars: 1000 } })).stdout).toContain("it lasts for all rounds");
    const variants = { ...spec, baselines: ["one-way" as const] };
    const { data } = await planned(variants, "--on-demand");
    const dollars = data.budgetAfterRound[1];
    const told = (await plan({ ...variants, budget: { dollars } }, "--on-demand")).stdout;
    expect(told).toContain("as many rounds of one-way");
    expect(told).toContain("it lasts for the run's own 2 rounds, not for all of its variants");
  });

  it("takes the machines' hours where they are known", async () => {
    expect((await planned(spec, "--hours", "12.5")).data.workers.paidHours).toBe(12.5);
    expect((await planned(spec, "--hours", "many")).error.code).toBe("BAD_ARGUMENT");
  });

  it("names models and data in S3 as assumptions, and warns of a model that does not fit the machine", async () => {
    const elsewhere = {
      ...spec,
      server: { ...spec.server, model: "s3://models/llama-2-7b" },
      public: ["s3://data/public.jsonl"],
    };
    const { data } = await planned(elsewhere);
    expect(data.assumptions).toContainEqual(expect.stringMatching(/^server's model: not looked into; 7000000000/));
    expect(data.assumptions).toContainEqual(expect.stringMatching(/^public set 1: not looked into; 1000 samples/));
    expect(data.warnings).toContainEqual(expect.stringMatching(/^server: training needs about .* g5\.xlarge/));
    const larger = await planned(elsewhere, "--instance", "p5.48xlarge");
    expect(larger.data.warnings).toEqual([expect.stringMatching(/^p5\.48xlarge has 8 GPUs/)]);
  });

  it("leaves a site's data to the site, and looks into them where they lie here too", async () => {
    const [ships, wards] = spec.clients;
    const atSite = (file: string) => ({
      ...spec,
      simulation: false,
      clients: [ships, { ...wards, compute: "worker", private: file }],
      evaluation: [{ name: "wards", data: file, owner: "wards" }],
    });
    const assumedOf = ({ data }: Awaited<ReturnType<typeof planned>>) =>
      data.assumptions.filter((line) => line.includes("not looked into"));
    expect(assumedOf(await planned(atSite("only-there.jsonl")))).toEqual([
      expect.stringMatching(/^wards's private set: not looked into; 1000 samples/),
      expect.stringMatching(/^held-out set wards: not looked into; 1000 samples/),
    ]);
    expect(assumedOf(await planned(atSite("data/wards.jsonl")))).toEqual([]);
    const ofCluster = await planned({ ...spec, clients: [{ ...ships, private: "only-there.jsonl" }, wards] });
    expect(ofCluster.error.code).toBe("SPEC_INVALID");
  });

  it("needs no weights and data where it is told so: a config.json, and what the spec says of sizes", async () => {
    const paper = (name: string) => resolve(import.meta.dirname, "../../../examples/paper/models", name);
    const absent = (samples: number) => ({ path: "not-here.jsonl", template: "arc", samples });
    const [ships, wards] = spec.clients;
    const lora = { rank: 8, alpha: 16 };
    const given = {
      ...{ ...spec, server: { ...spec.server, model: paper("llama2-7b"), lora } },
      clients: [
        { ...ships, lora, model: paper("gpt2-xl"), private: absent(450) },
        { ...wards, model: "no-folder" },
      ],
      public: [absent(450)],
      evaluation: [{ name: "test", task: "multiple-choice", data: absent(100) }],
      sampleBytes: 1000,
    };
    expect((await planned(given)).error.code).toBe("SPEC_INVALID");
    const { data } = await planned(given, "--without-material");
    expect(data.assumptions).toEqual(
      expect.arrayContaining([
        "server's model: from config.json alone; weights of 16 bits, no tokenizer",
        "ships's model: from config.json alone; weights of 32 bits, no tokenizer",
        "wards's model: not looked into; 1300000000 parameters",
        "public set 1: not looked into; 450 samples of 350 bytes",
        "held-out set test: not looked into; 100 samples of 350 bytes, 4 choices each",
      ]),
    );
    // what is here is looked into all the same
    expect(data.assumptions.filter((line) => line.startsWith("wards's private"))).toEqual([]);
    expect(data.parties.map(({ id, modelType }) => `${id}: ${modelType}`)).toEqual([
      "server: llama",
      "ships: gpt2",
      "wards: null",
    ]);
    const [server] = data.parties;
    expect(server.memoryBytes!.checkpointed).toBeGreaterThan(6_738_415_616 * 4);
    expect(server.memoryBytes!.checkpointed).toBeLessThan(server.memoryBytes!.plain);
    expect((await plan(given, "--without-material")).stdout).toMatch(/server +llama +6,738,415,616 +32\.0 MiB/);
  });

  it("warns of a run that comes near a limit of Step Functions", async () => {
    const many = { ...spec, public: [{ path: "s3://data/public.jsonl", samples: 2_000 }], samplesPerShard: 4 };
    expect((await planned(many)).data.warnings).toContainEqual(
      expect.stringMatching(/^the longest history takes \d\d % of Step Functions' limit; raise samplesPerShard/),
    );
  });

  it("refuses a machine without a price, and a spec with mistakes", async () => {
    const unknown = await planned(spec, "--instance", "g5.huge");
    expect(unknown).toMatchObject({ ok: false, error: { code: "PRICE_UNKNOWN" } });
    const wrong = await plan({ ...spec, rounds: 0 });
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("rounds");
  });
});
