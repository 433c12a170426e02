import { ListTasksCommand } from "@aws-sdk/client-ecs";
import { beforeAll, expect, it } from "@jest/globals";
import { controlKeys } from "../../shared/src/contracts/keys.ts";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { listKeys, readJson, readObject } from "../support/emulators/bucket-contents.ts";
import type { Cloud } from "../support/emulators/cloud.ts";
import { fourClientSpec, type Places } from "../support/emulators/four-clients.ts";
import { runOnThisMachine } from "../support/emulators/local-reference.ts";
import { fingerprints, sha256 } from "../support/emulators/run-objects.ts";
import { specYaml } from "../support/tiny-federation.ts";

const MINUTES = 60_000;
const RUN = "interrupted";

const spec = (places: Places): RunSpecInput => ({ ...fourClientSpec(RUN, places), rounds: 1, baselines: [] });

/** A run that an operator stops in the middle of its work, and resumes. */
export function testInterruption(cloudOf: () => Cloud): void {
  let cloud: Cloud;

  beforeAll(() => {
    cloud = cloudOf();
  });

  const tasksOfRun = () => cloud.agent.started().filter(({ environment }) => environment.FEDMKT_JOB.includes(RUN));
  const status = () => readJson(cloud.aws.s3, cloud.bucket("control"), controlKeys.status(RUN));

  it(
    "is stopped with every task that it started",
    async () => {
      const { emulator, runs, aws, names, agent, fedmkt } = cloud;
      await runs.upload(RUN, specYaml(spec(cloud.places)));
      await runs.until("two tasks of the run are at work", async () => tasksOfRun().length >= 2);
      await fedmkt.run("stop", RUN);
      const [stopped] = await runs.ended(RUN, 1);
      // LocalStack tells the run of its round's end before it has ended the run itself
      expect(emulator.name === "localstack" ? ["ABORTED", "FAILED"] : ["ABORTED"]).toContain(stopped.status);
      await runs.until("nothing of the run is left", async () => {
        const { taskArns } = await aws.ecs.send(new ListTasksCommand({ cluster: names.cluster }));
        return taskArns!.length === 0 && agent.started().every(({ process }) => !process.isRunning());
      });
      await runs.until("its status tells", async () => ((await status()) as { status: string }).status === "FAILED");
      expect(await status()).toMatchObject({ execution: stopped.executionArn });
    },
    3 * MINUTES,
  );

  it(
    "goes on where it was, to the bytes of a run that nobody stopped",
    async () => {
      const { aws, bucket, fedmkt } = cloud;
      await fedmkt.run("resume", RUN);
      const reference = await runOnThisMachine(spec(cloud.federation.here), `${cloud.folder}/uninterrupted`);
      const resumed = await fingerprints({
        specHash: sha256(specYaml(spec(cloud.places))),
        keys: await listKeys(aws.s3, bucket("artefacts"), `runs/${RUN}/`),
        read: (key) => readObject(aws.s3, bucket("artefacts"), key),
      });
      const whole = await fingerprints({
        ...reference,
        keys: reference.keys.filter((key) => key.startsWith(`runs/${RUN}/`)),
      });
      expect(resumed).toEqual(whole);
    },
    5 * MINUTES,
  );
}
