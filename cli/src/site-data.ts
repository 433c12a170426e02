import type { ArgsDef } from "citty";
import type { SpecPlace } from "./read-spec-file.ts";
import { readMember } from "./spec-locations.ts";

/**
 * A spec as `plan` and `validate` read it, for a run here or in a deployment: S3 is left to the run, and so are the data of a client
 * that works at its own site, unless they lie here too.
 */
export const ANY_PLACE: SpecPlace = {
  mayReadS3: true,
  judge: (value, path) => (isSiteData(value, path) ? "anywhere" : "here"),
};

/** A spec whose models and data need not be here yet: a path of this machine is taken as it is. */
export const NOT_HERE_YET: SpecPlace = { mayReadS3: true, judge: () => "not yet" };

/** Of commands that look at a run's spec alone. */
export const WITHOUT_MATERIAL_ARGUMENT = {
  "without-material": {
    type: "boolean",
    description:
      "models and data need not be here: a model's config.json is enough, and data count as the spec has them",
  },
} as const satisfies ArgsDef;

/** A client's sets that stay with it. */
const SITE_SETS: readonly PropertyKey[] = ["private", "validation"];

function isSiteData(value: unknown, path: readonly PropertyKey[]): boolean {
  if (path[0] === "clients") return SITE_SETS.includes(path[2]) && worksAtSite(readMember(value, ["clients", path[1]]));
  if (path[0] !== "evaluation" || readMember(value, ["simulation"]) === true) return false;
  const owner = readMember(value, ["evaluation", path[1], "owner"]);
  const clients = readMember(value, ["clients"]);
  return Array.isArray(clients) && clients.some((client) => client?.id === owner && worksAtSite(client));
}

function worksAtSite(client: unknown): boolean {
  return readMember(client, ["compute"]) === "worker";
}
