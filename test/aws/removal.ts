import { join } from "node:path";
import { beforeAll, expect, it } from "@jest/globals";
import { BUCKETS, deploymentNames } from "../../shared/src/contracts/deployment.ts";
import { listKeys, putObject, readObject } from "../support/emulators/bucket-contents.ts";
import { cdk } from "../support/emulators/cdk.ts";
import type { Cloud } from "../support/emulators/cloud.ts";
import { type Holdings, holdings, keysCalled } from "../support/emulators/holdings.ts";

const MINUTES = 60_000;

const NOTHING: Holdings = {
  stacks: [],
  buckets: [],
  queues: [],
  roles: [],
  logGroups: [],
  machines: [],
  functions: [],
  clusters: [],
  taskFamilies: [],
  tables: [],
  rules: [],
  keys: [],
};

/** What is left of a deployment that was taken away. To be called last: it takes the deployment away. */
export function testRemoval(cloudOf: () => Cloud): void {
  let cloud: Cloud;

  beforeAll(() => {
    cloud = cloudOf();
  });

  it(
    "leaves nothing of dev, full as its buckets were",
    async () => {
      const { emulator, aws, fedmkt, bucket } = cloud;
      await cloud.stopWorkers();
      expect((await listKeys(aws.s3, bucket("artefacts"), "")).length).toBeGreaterThan(0);
      await fedmkt.run("destroy", "--environment", "dev", "--yes");
      expect(await holdings(emulator, aws, "fedmkt-dev-")).toEqual(NOTHING);
    },
    4 * MINUTES,
  );

  it(
    "leaves nothing of a site in the site's own account",
    async () => {
      for (const site of cloud.sites) {
        await site.destroy();
        expect(await holdings(site.emulator, site.aws, "fedmkt-dev-")).toEqual(NOTHING);
      }
    },
    2 * MINUTES,
  );

  it(
    "keeps of prod what people made, and the keys that open it",
    async () => {
      const { emulator, aws, fedmkt } = cloud;
      const names = deploymentNames("prod");
      const prod = cdk(emulator, {
        folder: join(cloud.folder, "prod"),
        context: { environment: "prod", clients: "harbour" },
      });
      const outputs = await prod.deploy(["--all"], { UseCloudCapacity: "false" });
      const made = (["control", "artefacts", "registry"] as const).map((name) =>
        names.bucket(name, emulator.account, emulator.region),
      );
      const kept = [...made, outputs[names.clientStack("harbour")].PrivateBucket];
      const all = [...kept, ...BUCKETS.map((name) => names.bucket(name, emulator.account, emulator.region))];
      for (const bucket of new Set(all)) await putObject(aws.s3, bucket, "made/by-people", Buffer.from(bucket));
      const keys = await keysCalled(emulator, [
        `${names.stateStack}-control`,
        `${names.stateStack}-artefacts`,
        `${names.clientStack("harbour")}-private`,
      ]);

      await fedmkt.run("destroy", "--environment", "prod", "--yes");

      const left = await holdings(emulator, aws, "fedmkt-prod-");
      expect({ ...left, buckets: left.buckets.sort(), keys: left.keys.sort() }).toEqual({
        ...NOTHING,
        buckets: kept.sort(),
        keys: keys.sort(),
      });
      for (const bucket of kept)
        expect(Buffer.from(await readObject(aws.s3, bucket, "made/by-people")).toString()).toBe(bucket);
    },
    6 * MINUTES,
  );
}
