import { statSync } from "node:fs";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

/**
 * Before the model is opened, which may take minutes. The folder of adapters that are loaded by hand may come later: a gateway beside
 * makes it.
 * @throws InvalidInputError `FILE_MISSING`: a registry that comes later would be taken for one that is mistyped
 */
export function refuseMissingRegistry({
  FEDMKT_SERVE_REGISTRY: registry,
}: Pick<ServingEnvironment, "FEDMKT_SERVE_REGISTRY">): void {
  if (registry === undefined || isInS3(registry)) return;
  if (statSync(registry, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new InvalidInputError("FILE_MISSING", `${registry}: expected a folder of runs to follow, found none`);
}
