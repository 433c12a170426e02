import { beforeAll, expect, it } from "@jest/globals";
import { artefactKeys } from "../../shared/src/contracts/keys.ts";
import { listKeys, readJson, readObject } from "../support/emulators/bucket-contents.ts";
import type { Cloud } from "../support/emulators/cloud.ts";
import { fourClientSpec } from "../support/emulators/four-clients.ts";
import { runOnThisMachine } from "../support/emulators/local-reference.ts";
import { fingerprints, type RunObjects, sha256 } from "../support/emulators/run-objects.ts";
import { specYaml } from "../support/tiny-federation.ts";

const MINUTES = 60_000;
const RUN = "four-clients";

/** A run from its upload to its end, beside the same run on one machine. */
export function testFederation(cloudOf: () => Cloud): void {
  let cloud: Cloud;
  let spec: Uint8Array;
  let reference: RunObjects;

  beforeAll(() => {
    cloud = cloudOf();
    spec = specYaml(fourClientSpec(RUN, cloud.places));
  });

  it(
    "is started by the upload of its spec and succeeds",
    async () => {
      await cloud.runs.upload(RUN, spec);
      const [execution] = await cloud.runs.ended(RUN, 1);
      if (execution.status !== "SUCCEEDED")
        throw new Error(`${execution.error}: ${execution.cause}\n${cloud.runs.told()}`);
      expect(await readJson(cloud.aws.s3, cloud.bucket("control"), `runs/${RUN}/status.json`)).toMatchObject({
        status: "SUCCEEDED",
        execution: execution.executionArn,
      });
    },
    6 * MINUTES,
  );

  it(
    "gives byte for byte what the same spec gives on one machine",
    async () => {
      reference = await runOnThisMachine(fourClientSpec(RUN, cloud.federation.here), `${cloud.folder}/reference`);
      const artefacts = cloud.bucket("artefacts");
      const inCloud: RunObjects = {
        specHash: sha256(spec),
        keys: await listKeys(cloud.aws.s3, artefacts, ""),
        read: (key) => readObject(cloud.aws.s3, artefacts, key),
      };
      const [there, here] = [await fingerprints(inCloud), await fingerprints(reference)];
      expect(Object.keys(here)).toContain(`${artefactKeys.published(RUN)}/report.html`);
      expect(Object.keys(here).filter((key) => key.endsWith("/manifest.json"))).toHaveLength(34);
      expect(there).toEqual(here);
    },
    6 * MINUTES,
  );
}
