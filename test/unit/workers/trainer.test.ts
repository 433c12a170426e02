import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { runQueueWorker } from "../../../gpu-workers/src/run-queue-worker.ts";
import { workerServices } from "../../../gpu-workers/src/worker-services.ts";
import { workerEnvironment } from "../../../shared/src/contracts/environment.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { toyFolder } from "../engine/toy-model.ts";

const program = (name: string) => resolve(import.meta.dirname, "../../support/trainers", name);
const VARIABLES = {
  AWS_REGION: "us-east-1",
  FEDMKT_CONTROL_BUCKET: "fedmkt-control",
  FEDMKT_ARTEFACT_BUCKET: "fedmkt-artefacts",
  FEDMKT_REGISTRY_BUCKET: "fedmkt-registry",
  FEDMKT_PARTY: "harbour",
  FEDMKT_JOB_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/000000000000/harbour",
};
const OPEN = { lora: null, adapter: null, seed: 1, threads: 1 };

describe("FEDMKT_TRAINER", () => {
  it("is a command, its words parted by blanks; without it the engine trains", () => {
    const settings = (trainer: object) => workerEnvironment.parse({ ...VARIABLES, ...trainer });
    expect(settings({ FEDMKT_TRAINER: " python  trainer.py --half " })).toMatchObject({
      FEDMKT_TRAINER: ["python", "trainer.py", "--half"],
    });
    expect(settings({}).FEDMKT_TRAINER).toBeUndefined();
    expect(() => settings({ FEDMKT_TRAINER: " " })).toThrow();
  });

  it("takes the engine's place in a worker", async () => {
    const variables = { ...VARIABLES, FEDMKT_TRAINER: `${process.execPath} ${program("misbehaving-trainer.ts")} none` };
    const { engine, close } = workerServices(
      variables,
      workerEnvironment.parse(variables),
      new RecordingLogger() as never,
    );
    try {
      // this trainer holds the same model whatever it is asked for
      expect(await engine.open({ ...OPEN, folder: toyFolder() })).toMatchObject({ vocabularySize: 4, parameters: 16 });
    } finally {
      await close();
    }
  });

  it("is tried before a queue's first job is taken", async () => {
    const variables = {
      ...VARIABLES,
      FEDMKT_TRAINER: `${process.execPath} ${program("misbehaving-trainer.ts")} ends-at-once`,
    };
    const { signal } = new AbortController();
    const worked = runQueueWorker({
      variables,
      logger: new RecordingLogger() as never,
      stopping: signal,
      gaveUp: signal,
    });
    await expect(worked).rejects.toMatchObject({ name: "InvalidInputError", code: "TRAINER_UNAVAILABLE" });
  });
});
