import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys } from "../../../shared/src/contracts/keys.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import type { Engine, OpenModel, TrainOptions } from "../../../shared/src/ports/engine.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { stageRun } from "../../support/run-stages.ts";
import { runStages } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

let folder: string;
let spec: TinySpec;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fedmkt-lambda-"));
  spec = { ...writeTinyFederation(folder), rounds: 3, baselines: [], evaluation: [] };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Trained extends Pick<TrainOptions, "lambda" | "knowledgeMean"> {
  /** the model's folder's name: the party */
  party: string;
  hasKnowledge: boolean;
}

/** Runs a spec. @returns what each training on knowledge's behalf was told, in the order of the stages */
async function ran(given: TinySpec) {
  const run = stageRun();
  const trained: Trained[] = [];
  const engine: Engine = {
    close: () => run.deps.engine.close(),
    async open(options: OpenModel) {
      const model = await run.deps.engine.open(options);
      const train = model.train.bind(model);
      model.train = (asked) => {
        const { lambda, knowledgeMean, targets } = asked;
        const party = options.folder.split("/").at(-1)!;
        trained.push({ party, lambda, knowledgeMean, hasKnowledge: targets !== undefined });
        return train(asked);
      };
      return model;
    },
  };
  await runStages({ ...run, deps: { ...run.deps, engine } }, given);
  const lambdas = (party: string) => trained.filter((one) => one.party === party).map(({ lambda }) => lambda);
  return { run, trained, lambdas };
}

describe("the weight of labels", () => {
  it("is the run's, or a party's own, and moves from round to round to the last one's", async () => {
    const [ships, wards] = spec.clients;
    const { lambdas, trained } = await ran({
      ...spec,
      server: { ...spec.server, lambda: 0 },
      clients: [{ ...ships, lambda: 0.2 }, wards],
      distillation: { ...spec.distillation, lambda: 0.8, finalLambda: 0.6, knowledgeMean: "all" },
    });
    const near = (...values: number[]) => values.map((value) => expect.closeTo(value, 12));
    expect(lambdas("server")).toEqual(near(0, 0.3, 0.6));
    // a client's training on its private set has no knowledge
    expect(lambdas("ships")).toEqual(near(1, 0.2, 1, 0.4, 1, 0.6));
    expect(lambdas("wards")).toEqual(near(1, 0.8, 1, 0.7, 1, 0.6));
    expect(new Set(trained.map(({ knowledgeMean }) => knowledgeMean))).toEqual(new Set(["all"]));
  });

  it("stays as it is unless told where to go, and a party whose weight is 1 is given no knowledge", async () => {
    const { lambdas, trained } = await ran({ ...spec, rounds: 2, server: { ...spec.server, lambda: 1 } });
    expect([lambdas("server"), lambdas("ships")]).toEqual([
      [1, 1],
      [1, 0.5, 1, 0.5],
    ]);
    expect(trained.filter(({ party }) => party === "server").every(({ hasKnowledge }) => !hasKnowledge)).toBe(true);
    expect(trained.filter(({ lambda }) => lambda === 0.5).every(({ hasKnowledge }) => hasKnowledge)).toBe(true);
  });

  it("may be none, where a party for which nothing was selected is changed by its weights' decay alone", async () => {
    const far = { ...spec, rounds: 1, distillation: { ...spec.distillation, lambda: 0, minGap: 1e5 } };
    const { run, trained } = await ran(far);
    expect(trained.filter(({ party }) => party === "server").map(({ lambda }) => lambda)).toEqual([0]);
    const decayed = await readOutput(
      run.deps,
      artefactKeys.job("tiny", 1, "server-distil", "server"),
      "adapter.safetensors",
    );
    const { server } = far;
    const still = await ran({ ...far, server: { ...server, training: { ...server.training, weightDecay: 0 } } });
    const kept = await readOutput(
      still.run.deps,
      artefactKeys.job("tiny", 1, "server-distil", "server"),
      "adapter.safetensors",
    );
    expect(sha256(decayed)).not.toBe(sha256(kept));
    // without decay the adapter is the fresh one: the server knows what it knew
    const knowledge = (stage: string) =>
      readOutput(still.run.deps, artefactKeys.job("tiny", 1, stage, "server"), "knowledge/shard-00000.safetensors");
    expect(sha256(await knowledge("server-distil"))).toBe(sha256(await knowledge("server-extract")));
  });
});
