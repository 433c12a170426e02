import { isInS3 } from "../contracts/location.ts";
import { type DataSpec, dataLocations, type RunSpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readSampleSet } from "./prepare-samples.ts";

/**
 * Looks at where private data lie, before anything runs in a cloud.
 * @throws InvalidInputError `LOCAL_FILES_REFUSED` naming every path that no job could read, `PRIVATE_SET_KEPT`
 */
export async function checkPrivatePlaces(deps: StageDependencies, spec: RunSpec): Promise<void> {
  refuseLocalFiles(spec);
  if (spec.baselines.includes("centralized")) await refuseKeptSets(deps, spec);
}

/**
 * `centralized` has the server read every client's private set. Planning may read no private bucket either, nor may the server
 * read what is under another party's name: so what planning reads here the server's job will.
 */
async function refuseKeptSets(deps: StageDependencies, { clients, sampleBytes }: RunSpec): Promise<void> {
  const material = `s3://${deps.buckets.control}/material/`;
  for (const { id, private: data } of clients) {
    const kept = dataLocations(data).find(
      (location) => location.startsWith(material) && !location.startsWith(`${material}server/`),
    );
    if (kept !== undefined)
      throw new InvalidInputError(
        "PRIVATE_SET_KEPT",
        `client ${id}: private: ${kept} is for ${id} alone, so the baseline centralized cannot train the server on it; put it into the public bucket where it may be shared, or leave the baseline out`,
      );
    await readSampleSet(deps, data, sampleBytes, `client ${id}: private, for the baseline centralized`);
  }
}

/**
 * Looks at where the data lie that stay with clients whose jobs run in the coordinator's cluster, which reads S3 alone. Planning reads
 * none of them, so that a path of somebody's machine would be found out in the first job only.
 * @throws InvalidInputError `LOCAL_FILES_REFUSED` naming every such path
 */
function refuseLocalFiles({ clients, evaluation, simulation }: RunSpec): void {
  const inCluster = clients.filter(({ compute }) => compute === "ecs");
  const owned = simulation ? [] : evaluation.filter(({ owner }) => inCluster.some(({ id }) => id === owner));
  const refused = [
    ...inCluster.flatMap(({ id, private: data }) => pathsOf(data).map((path) => `client ${id}: private: ${path}`)),
    ...inCluster.flatMap(({ id, validation }) =>
      validation ? pathsOf(validation).map((path) => `client ${id}: validation: ${path}`) : [],
    ),
    ...owned.flatMap(({ name, data }) => pathsOf(data).map((path) => `evaluation ${name}: ${path}`)),
  ];
  if (refused.length > 0)
    throw new InvalidInputError(
      "LOCAL_FILES_REFUSED",
      `${refused.join("; ")}: expected s3://bucket/key for a client whose jobs run in the cluster (compute: ecs); files of a site are read at the site, by compute: worker`,
    );
}

function pathsOf(data: DataSpec): string[] {
  return dataLocations(data).filter((location) => !isInS3(location));
}
