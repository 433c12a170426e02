import { statSync } from "node:fs";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

type Folders = Pick<ServingEnvironment, "FEDMKT_SERVE_REGISTRY" | "FEDMKT_SERVE_RUNTIME_ADAPTERS">;

/**
 * Before the model is opened, which may take minutes.
 * @throws InvalidInputError `FILE_MISSING`: a folder that comes later would be taken for one that is mistyped
 */
export function refuseMissingFolders({
  FEDMKT_SERVE_REGISTRY: registry,
  FEDMKT_SERVE_RUNTIME_ADAPTERS: runtimeAdapters,
}: Folders): void {
  if (registry !== undefined && !isInS3(registry)) refuseMissing(registry, "a folder of runs to follow");
  if (runtimeAdapters !== undefined) refuseMissing(runtimeAdapters, "a folder of adapters to load");
}

function refuseMissing(folder: string, what: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new InvalidInputError("FILE_MISSING", `${folder}: expected ${what}, found none`);
}
