import { beforeAll, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys, MANIFEST } from "../../shared/src/contracts/keys.ts";
import { listKeys, readJson, readObject } from "../support/emulators/bucket-contents.ts";
import type { Cloud } from "../support/emulators/cloud.ts";
import { CLIENT_NAMES, fourClientSpec, SITES } from "../support/emulators/four-clients.ts";
import { runOnThisMachine } from "../support/emulators/local-reference.ts";
import { fingerprints, type RunObjects, sha256 } from "../support/emulators/run-objects.ts";
import { specYaml } from "../support/tiny-federation.ts";

const MINUTES = 60_000;
const RUN = "four-clients";
const ROUNDS = [1, 2];

/** A run from its upload to its end, beside the same run on one machine. */
export function testFederation(cloudOf: () => Cloud): void {
  let cloud: Cloud;
  let spec: Uint8Array;

  beforeAll(() => {
    cloud = cloudOf();
    spec = specYaml(fourClientSpec(RUN, cloud.places));
  });

  it(
    "is started once by two uploads of its spec at the same moment, and succeeds",
    async () => {
      const { runs, aws, bucket, agent } = cloud;
      await Promise.all([runs.upload(RUN, spec), runs.upload(RUN, spec)]);
      const executions = await runs.ended(RUN, 2);
      for (const { status, error, cause } of executions)
        if (status !== "SUCCEEDED") throw new Error(`${status} ${error}: ${cause}\n${runs.told()}`);
      const claims = await listKeys(aws.s3, bucket("control"), controlKeys.claims(RUN));
      expect(claims).toEqual([controlKeys.claim(RUN, 1)]);
      expect(await readJson(aws.s3, bucket("control"), controlKeys.status(RUN))).toEqual({
        run: RUN,
        status: "SUCCEEDED",
        execution: (await readJson<{ execution: string }>(aws.s3, bucket("control"), claims[0])).execution,
      });
      const jobs = agent.started().map(({ environment }) => environment.FEDMKT_JOB);
      expect(jobs.length).toBeGreaterThan(0);
      expect(new Set(jobs).size).toBe(jobs.length);
    },
    6 * MINUTES,
  );

  it(
    "gives byte for byte what the same spec gives on one machine",
    async () => {
      const reference = await runOnThisMachine(fourClientSpec(RUN, cloud.federation.here), `${cloud.folder}/reference`);
      const [there, here] = [await fingerprints(await whatIsThere()), await fingerprints(reference)];
      expect(Object.keys(here)).toEqual(expect.arrayContaining(whatARunMakes()));
      expect(there).toEqual(here);
    },
    6 * MINUTES,
  );

  it("ran each client where its spec says, under the client's own name", () => {
    const families = new Set(cloud.agent.started().map(({ family }) => family));
    expect([...families].sort()).toEqual(
      ["server", "harbour", "clinic"].map((party) => cloud.names.party(party)).sort(),
    );
    expect(cloud.workers.map(({ client }) => client)).toEqual(SITES);
    for (const worker of cloud.workers) expect(worker.isRunning()).toBe(true);
  });

  it("left a site's private sentences at the site", async () => {
    const { aws, federation } = cloud;
    const sentences = SITES.flatMap((client) =>
      Buffer.from(federation.privateSet(client))
        .toString("utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).text as string),
    );
    expect(sentences.length).toBeGreaterThan(0);
    for (const name of ["control", "artefacts", "registry", "public"] as const)
      for (const key of await listKeys(aws.s3, cloud.bucket(name), "")) {
        const text = Buffer.from(await readObject(aws.s3, cloud.bucket(name), key)).toString("utf8");
        for (const sentence of sentences)
          expect({ key, tells: text.includes(sentence) }).toEqual({ key, tells: false });
      }
  });

  it("is not run again by the same upload", async () => {
    const started = cloud.agent.started().length;
    const before = await fingerprints(await whatIsThere());
    await cloud.runs.upload(RUN, spec);
    const [, , again] = await cloud.runs.ended(RUN, 3);
    expect(again.status).toBe("SUCCEEDED");
    expect(cloud.agent.started()).toHaveLength(started);
    expect(await fingerprints(await whatIsThere())).toEqual(before);
  }, 60_000);

  it("refuses another spec under the same name, and names both by their hashes", async () => {
    const changed = specYaml({ ...fourClientSpec(RUN, cloud.places), seed: 8 });
    await cloud.runs.upload(RUN, changed);
    const [, , , refused] = await cloud.runs.ended(RUN, 4);
    expect(refused.status).toBe("FAILED");
    for (const hash of [sha256(spec), sha256(changed)]) expect(refused.cause).toContain(hash);
    expect(await readJson(cloud.aws.s3, cloud.bucket("control"), controlKeys.status(RUN))).toMatchObject({
      status: "SUCCEEDED",
    });
  }, 60_000);

  async function whatIsThere(): Promise<RunObjects> {
    const { aws, bucket } = cloud;
    return {
      specHash: sha256(spec),
      keys: [
        ...(await listKeys(aws.s3, bucket("artefacts"), `runs/${RUN}/`)),
        ...(await listKeys(aws.s3, bucket("artefacts"), "vocabulary-maps/")),
      ],
      read: (key) => readObject(aws.s3, bucket("artefacts"), key),
    };
  }
}

/** Of every kind of object at least what must not be missing from a comparison. */
function whatARunMakes(): string[] {
  const published = artefactKeys.published(RUN);
  return [
    `${published}/summary.json`,
    `${published}/report.html`,
    ...ROUNDS.map((round) => artefactKeys.roundSummary(RUN, round)),
    ...["server", ...CLIENT_NAMES].flatMap((party) => [
      `${published}/adapters/${party}/adapter_model.safetensors`,
      ...ROUNDS.map((round) => `${artefactKeys.job(RUN, round, "evaluate", party)}/${MANIFEST}`),
    ]),
    ...CLIENT_NAMES.flatMap((client) =>
      ROUNDS.flatMap((round) => [
        `${artefactKeys.job(RUN, round, "client-train", client)}/${MANIFEST}`,
        `${artefactKeys.job(RUN, round, "client-distil", client)}/${MANIFEST}`,
        `${artefactKeys.aligned(RUN, round, client, "server", 0)}/${MANIFEST}`,
        `${artefactKeys.aligned(RUN, round, "server", client, 0)}/${MANIFEST}`,
      ]),
    ),
  ];
}
