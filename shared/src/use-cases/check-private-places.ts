import { isInS3 } from "../contracts/location.ts";
import type { DataSpec, RunSpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";

/**
 * Looks at where the data lie that stay with clients whose jobs run in the coordinator's cluster, which reads S3 alone. Planning reads
 * none of them, so that a path of somebody's machine would be found out in the first job only.
 * @throws InvalidInputError `LOCAL_FILES_REFUSED` naming every such path
 */
export function checkPrivatePlaces({ clients, evaluation, simulation }: RunSpec): void {
  const inCluster = clients.filter(({ compute }) => compute === "ecs");
  const owned = simulation ? [] : evaluation.filter(({ owner }) => inCluster.some(({ id }) => id === owner));
  const refused = [
    ...inCluster.flatMap(({ id, private: data }) => pathsOf(data).map((path) => `client ${id}: private: ${path}`)),
    ...owned.flatMap(({ name, data }) => pathsOf(data).map((path) => `evaluation ${name}: ${path}`)),
  ];
  if (refused.length > 0)
    throw new InvalidInputError(
      "LOCAL_FILES_REFUSED",
      `${refused.join("; ")}: expected s3://bucket/key for a client whose jobs run in the cluster (compute: ecs); files of a site are read at the site, by compute: worker`,
    );
}

function pathsOf({ path, keepCharactersOf }: DataSpec): string[] {
  return [path, keepCharactersOf].filter((location) => location !== undefined).filter((location) => !isInS3(location));
}
