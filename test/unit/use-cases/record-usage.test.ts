import { describe, expect, it } from "@jest/globals";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import { usage } from "../../../shared/src/contracts/usage.ts";
import { readJson } from "../../../shared/src/use-cases/read-json.ts";
import { recordUsage } from "../../../shared/src/use-cases/record-usage.ts";

const USED = {
  run: "toy",
  round: 2,
  stage: "client-train",
  party: "harbour",
  seconds: 12.5,
  instanceType: "g5.xlarge",
  spot: true,
};

function prepare() {
  const objects = new MemoryObjectStore();
  const buckets = { control: "control", artefacts: "artefacts", registry: "registry" };
  return {
    objects,
    record: (attempt: string, more: Partial<typeof USED> = {}) =>
      recordUsage({ objects, buckets }, attempt, { ...USED, ...more }),
  };
}

describe("what an attempt used", () => {
  it("is written down below its party, under the attempt's name", async () => {
    const { objects, record } = prepare();
    await record("first");
    expect(await objects.list("artefacts", "")).toEqual(["runs/toy/usage/harbour/first.json"]);
    const written = await readJson(objects, "artefacts", "runs/toy/usage/harbour/first.json", usage);
    expect(written).toEqual({ version: 1, ...USED });
  });

  it("stands beside what other attempts at the same job used", async () => {
    const { objects, record } = prepare();
    await record("first");
    await record("second", { seconds: 3 });
    expect(await objects.list("artefacts", "runs/toy/usage/harbour/")).toHaveLength(2);
  });

  it.each([{ seconds: -1 }, { seconds: Number.NaN }, { round: 0.5 }])(
    "is refused where it cannot be: %j",
    async (more) => {
      const { objects, record } = prepare();
      await expect(record("first", more)).rejects.toThrow();
      expect(await objects.list("artefacts", "")).toEqual([]);
    },
  );
});
