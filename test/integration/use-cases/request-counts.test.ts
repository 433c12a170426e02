import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { measureRun } from "../../../cli/src/plan/measure-run.ts";
import { runSpec } from "../../../shared/src/contracts/run-spec.ts";
import { stageRequests } from "../../../shared/src/core/cost/stage-requests.ts";
import { workerJobs } from "../../../shared/src/core/cost/worker-time.ts";
import type { ObjectStore } from "../../../shared/src/ports/object-store.ts";
import { recordUsage } from "../../../shared/src/use-cases/record-usage.ts";
import { stageRun } from "../../support/run-stages.ts";
import { runStages } from "../../support/stage-order.ts";
import { writeTinyFederation } from "../../support/tiny-federation.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-requests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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

describe("the model of S3 requests", () => {
  it("tells within a quarter what the stages of a whole run ask for", async () => {
    const spec = writeTinyFederation(folder);
    const run = stageRun();
    const { count, counted } = counting(run.objects);
    const deps = { ...run.deps, objects: counted };
    const usage = async (round: number, jobs: readonly [stage: string, party: string][]) => {
      for (const [stage, party] of jobs)
        await recordUsage(deps, `${round}-${stage}`, {
          ...{ run: spec.name, round, stage, party, seconds: 60, instanceType: "g5.xlarge", spot: true },
        });
    };
    const { size } = await measureRun(runSpec.parse(spec));
    await runStages({ ...run, deps }, spec, (round) =>
      usage(
        round,
        workerJobs(size)
          .filter((job) => job.round === round || (round === 1 && job.round === 0))
          .map(({ stage, party }, index) => [`${stage}-${index}`, party]),
      ),
    );
    const rows = stageRequests(size, false);
    const shares = (["reads", "writes", "bytesRead", "bytesWritten"] as const).map((name) => ({
      name,
      share: rows.reduce((sum, row) => sum + row[name], 0) / count[name],
    }));
    expect(shares.filter(({ share }) => share < 0.8 || share > 1.25)).toEqual([]);
  });
});
