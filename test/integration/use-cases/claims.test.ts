import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import { runStatus } from "../../../shared/src/contracts/run-status.ts";
import { failRun } from "../../../shared/src/use-cases/fail-run.ts";
import { readJson } from "../../../shared/src/use-cases/read-json.ts";
import { EXECUTION, executionArn } from "../../support/execution-arn.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const OTHER = executionArn("second");

describe("two executions and one run", () => {
  let folder: string;
  let spec: TinySpec;
  let run: StageRun;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "claims-"));
    spec = writeTinyFederation(folder);
    run = stageRun();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const claims = () => run.objects.list("control", controlKeys.claims("tiny"));
  const status = () => readJson(run.objects, "control", controlKeys.status("tiny"), runStatus);
  const snapshot = async () => {
    const found: Record<string, string> = {};
    for (const key of await run.objects.list("control", ""))
      found[key] = Buffer.from(await run.objects.get("control", key, 1e7)).toString("base64");
    return found;
  };

  it("the first has it and says so", async () => {
    expect(await plan(run, spec)).toMatchObject({
      run: "tiny",
      taken: null,
      machine: { run: "tiny", first: { run: "tiny", round: 1 } },
    });
    expect(await status()).toEqual({ run: "tiny", status: "RUNNING", execution: EXECUTION });
  });

  it.each(["running", "succeeded"] as const)(
    "the second finds it taken while the first is %s, and writes nothing",
    async (standing) => {
      await plan(run, spec);
      run.standing.set(EXECUTION, standing);
      const before = await snapshot();
      expect(await plan(run, spec, OTHER)).toEqual({ run: "tiny", taken: EXECUTION, machine: null });
      expect(await snapshot()).toEqual(before);
    },
  );

  it("at the same moment end in one that runs it and one that knows of the other", async () => {
    run.standing.set(EXECUTION, "running").set(OTHER, "running");
    const answers = await Promise.all([plan(run, spec), plan(run, spec, OTHER)]);
    const holders = answers.filter(({ taken }) => taken === null);
    expect(holders).toHaveLength(1);
    const holder = answers.indexOf(holders[0]) === 0 ? EXECUTION : OTHER;
    expect(answers.find(({ taken }) => taken !== null)).toMatchObject({ taken: holder, machine: null });
    expect(await claims()).toHaveLength(1);
    expect(await status()).toMatchObject({ status: "RUNNING", execution: holder });
  });

  it("the second takes it up once the first has ended without success, with the same plan", async () => {
    const first = await plan(run, spec);
    await failRun(run.deps)({ run: "tiny", error: "States.Timeout", cause: "too long", execution: EXECUTION });
    const planned = await run.objects.get("control", controlKeys.plan("tiny"), 1e7);
    expect(await plan(run, spec, OTHER)).toEqual(first);
    expect(await run.objects.get("control", controlKeys.plan("tiny"), 1e7)).toEqual(planned);
    expect(await claims()).toEqual([controlKeys.claim("tiny", 1), controlKeys.claim("tiny", 2)]);
    expect(await status()).toEqual({ run: "tiny", status: "RUNNING", execution: OTHER });
  });

  it("of many that take it up at once, one does", async () => {
    await plan(run, spec);
    const others = ["a", "b", "c", "d"].map(executionArn);
    for (const other of others) run.standing.set(other, "running");
    const answers = await Promise.all(others.map((other) => plan(run, spec, other)));
    expect(answers.filter(({ taken }) => taken === null)).toHaveLength(1);
    expect(await claims()).toHaveLength(2);
  });

  it("the first, asked again, finds its own claim", async () => {
    const first = await plan(run, spec);
    run.standing.set(EXECUTION, "running");
    expect(await plan(run, spec)).toEqual(first);
    expect(await claims()).toHaveLength(1);
  });

  it("the tenth claim counts, not the ninth", async () => {
    for (let attempt = 1; attempt <= 10; attempt++) await plan(run, spec, executionArn(`attempt-${attempt}`));
    run.standing.set(executionArn("attempt-10"), "running");
    expect(await plan(run, spec, OTHER)).toMatchObject({ taken: executionArn("attempt-10") });
  });

  it.each(["running", "succeeded", "ended"] as const)(
    "another spec under its name is refused by both hashes, though the first is %s",
    async (standing) => {
      await plan(run, spec);
      run.standing.set(EXECUTION, standing);
      await expect(plan(run, { ...spec, seed: 8 }, OTHER)).rejects.toMatchObject({
        code: "RUN_CHANGED",
        message: expect.stringMatching(/SHA-256 [0-9a-f]{64}, now [0-9a-f]{64}/),
      });
      expect(await claims()).toHaveLength(1);
    },
  );

  it("a refused upload never shows the run of another as failed", async () => {
    await plan(run, spec);
    run.standing.set(EXECUTION, "running");
    await expect(plan(run, { ...spec, seed: 8 }, OTHER)).rejects.toThrow();
    await failRun(run.deps)({ run: "tiny", error: "InvalidInputError", cause: "RUN_CHANGED", execution: OTHER });
    expect(await status()).toEqual({ run: "tiny", status: "RUNNING", execution: EXECUTION });
  });

  it("a refused upload that came first is forgotten once the corrected one runs", async () => {
    await expect(plan(run, { ...spec, server: { ...spec.server, model: "/nowhere" } }, OTHER)).rejects.toThrow();
    await failRun(run.deps)({ run: "tiny", error: "InvalidInputError", cause: "no model", execution: OTHER });
    expect(await status()).toMatchObject({ status: "FAILED", cause: "no model" });
    await plan(run, spec);
    expect(await status()).toEqual({ run: "tiny", status: "RUNNING", execution: EXECUTION });
    // the event of the refused execution's end comes late
    await failRun(run.deps)({ run: "tiny", error: "FAILED", cause: "no model", execution: OTHER });
    expect(await status()).toEqual({ run: "tiny", status: "RUNNING", execution: EXECUTION });
  });
});

describe("the plan", () => {
  it("is the same bytes whoever made it: it knows of no execution", async () => {
    const folder = mkdtempSync(join(tmpdir(), "claims-"));
    try {
      const spec = writeTinyFederation(folder);
      const [first, second] = [stageRun(), stageRun()];
      await plan(first, spec, EXECUTION);
      await plan(second, spec, OTHER);
      const bytes = await first.objects.get("control", controlKeys.plan("tiny"), 1e7);
      expect(await second.objects.get("control", controlKeys.plan("tiny"), 1e7)).toEqual(bytes);
      expect(new TextDecoder().decode(bytes)).not.toContain("arn:");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("says where each party's jobs run: the server's in the coordinator's cluster", async () => {
    const folder = mkdtempSync(join(tmpdir(), "claims-"));
    try {
      const tiny = writeTinyFederation(folder);
      const [ships, wards] = tiny.clients;
      const spec: TinySpec = { ...tiny, simulation: false, clients: [ships, { ...wards, compute: "worker" }] };
      const { machine } = await plan(stageRun(), spec);
      const computes = { server: "ecs", ships: "ecs", wards: "worker" };
      const { parties, clients } = machine!.first.members;
      expect(parties).toEqual(Object.entries(computes).map(([id, compute]) => ({ id, compute })));
      expect(clients).toEqual(parties.slice(1));
      expect(machine!.baselines.length).toBeGreaterThan(3);
      for (const { party, compute } of machine!.baselines)
        expect(compute).toBe(computes[party as keyof typeof computes]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
