import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { measureRun } from "../../../cli/src/plan/measure-run.ts";
import { runSpec } from "../../../shared/src/contracts/run-spec.ts";
import { stageRequests } from "../../../shared/src/core/cost/stage-requests.ts";
import { workerJobs } from "../../../shared/src/core/cost/worker-time.ts";
import type { Material } from "../../../shared/src/ports/material.ts";
import type { ObjectStore } from "../../../shared/src/ports/object-store.ts";
import { recordUsage } from "../../../shared/src/use-cases/record-usage.ts";
import { stageRun } from "../../support/run-stages.ts";
import { runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";
import { withGate } from "../../support/validation-sets.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-requests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A gate's tolerance, bits per byte, within which every round is. */
const NEVER_UNDONE = 1e3;

/** Counts what is asked of the object store; models and data come from disk here, so those requests are not among them. */
function counting(objects: ObjectStore) {
  const count = { reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 };
  const wrote = (body: Uint8Array) => {
    count.writes++;
    count.bytesWritten += body.length;
  };
  const counted: ObjectStore = {
    async get(bucket, key, maxBytes) {
      const body = await objects.get(bucket, key, maxBytes);
      count.reads++;
      count.bytesRead += body.length;
      return body;
    },
    head(bucket, key) {
      count.reads++;
      return objects.head(bucket, key);
    },
    put(bucket, key, body) {
      wrote(body);
      return objects.put(bucket, key, body);
    },
    putIfAbsent(bucket, key, body) {
      wrote(body);
      return objects.putIfAbsent(bucket, key, body);
    },
    list(bucket, prefix) {
      count.writes++; // billed as one
      return objects.list(bucket, prefix);
    },
  };
  return { count, counted };
}

const COUNTED = ["reads", "writes", "bytesRead", "bytesWritten"] as const;

/** Counts how often validation sets are read, where they lie. */
function countingSets(material: Material) {
  const count = { reads: 0, bytesRead: 0 };
  const counted: Material = {
    async read(location, maxBytes) {
      const bytes = await material.read(location, maxBytes);
      if (!location.endsWith("-validation.jsonl")) return bytes;
      count.reads++;
      count.bytesRead += bytes.length;
      return bytes;
    },
    folder: (location) => material.folder(location),
    fingerprint: (location) => material.fingerprint(location),
    weightsHash: (location) => material.weightsHash(location),
  };
  return { count, counted };
}

/** With one model for all clients, so that they can be averaged. */
function alike(spec: TinySpec): TinySpec {
  const [{ model }] = spec.clients;
  return { ...spec, clients: spec.clients.map((client) => ({ ...client, model })) };
}

/** Runs all stages of a spec. @returns what was asked for, and what the model says, with models and data in S3 and without */
async function execute(spec: TinySpec) {
  const run = stageRun();
  const { count, counted } = counting(run.objects);
  const sets = countingSets(run.deps.material);
  const deps = { ...run.deps, objects: counted, material: sets.counted };
  const usage = async (round: number, jobs: readonly [stage: string, party: string][]) => {
    for (const [stage, party] of jobs)
      await recordUsage(deps, `${round}-${stage}`, {
        ...{ run: spec.name, round, stage, party, seconds: 60, instanceType: "g5.xlarge", spot: true },
      });
  };
  const { size } = await measureRun(runSpec.parse(spec));
  await runStages({ ...run, deps }, spec, async (round, name) => {
    if (name !== spec.name) return;
    await usage(
      round,
      workerJobs(size)
        .filter((job) => job.variant === null && (job.round === round || (round === 1 && job.round === 0)))
        .map(({ stage, party }, index) => [`${stage}-${index}`, party]),
    );
  });
  const told = (material: boolean) =>
    Object.fromEntries(
      COUNTED.map((name) => [name, stageRequests(size, material).reduce((sum, row) => sum + row[name], 0)] as const),
    ) as typeof count;
  return { count, sets: sets.count, told };
}

describe("the model of S3 requests", () => {
  it("tells within a quarter what the stages of a whole run ask for", async () => {
    const spec = writeTinyFederation(folder);
    for (const judged of [spec, withGate(folder, spec, NEVER_UNDONE)]) {
      const { count, told } = await execute(judged);
      const shares = COUNTED.map((name) => ({ name, share: told(false)[name] / count[name] }));
      expect(shares.filter(({ share }) => share < 0.8 || share > 1.25)).toEqual([]);
    }
  });

  it.each<[string, (spec: TinySpec) => TinySpec]>([
    ["a run with baselines", (spec) => spec],
    [
      "a run whose clients are averaged, of which one joins late",
      (spec) => {
        const [ships, wards] = alike(spec).clients;
        const clients = [ships, { ...wards, joinsAtRound: 2 }];
        return { ...spec, rounds: 3, aggregation: "fedavg", clients };
      },
    ],
    [
      "a run with variants",
      (spec) => ({ ...alike(spec), baselines: ["centralized", "zero-shot", "fedavg", "fedavg+public", "one-way"] }),
    ],
  ])("tells to the request how many more a gate asks for: %s", async (_, change) => {
    const spec = change(writeTinyFederation(folder));
    const [bare, judged] = [await execute(spec), await execute(withGate(folder, spec, NEVER_UNDONE))];
    const more = (name: "reads" | "writes", material = false) =>
      judged.told(material)[name] - bare.told(material)[name];
    expect(judged.count.reads - bare.count.reads).toBe(more("reads"));
    expect(judged.count.writes - bare.count.writes).toBe(more("writes"));
    expect(more("reads")).toBeGreaterThan(0);
    expect(judged.sets.reads).toBe(more("reads", true) - more("reads"));
  });
});
