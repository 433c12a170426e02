import path from "node:path";
import { partyName } from "@fedmkt/shared/contracts/identifier.ts";
import { servedName } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

/**
 * The base model's name where none is given: its folder's. Models' folders are often called as the party whose they are, and then the
 * party's adapter could not have its own name: where a registry is followed, a name that a party may bear gets `:base` behind it,
 * which no party's has.
 *
 * @throws InvalidInputError `ENVIRONMENT_INVALID` where the folder's name is none that requests could say
 */
export function modelName(location: string, followsRegistry: boolean): string {
  const folder = path.posix.basename(location);
  const parsed = servedName.safeParse(folder);
  if (!parsed.success)
    throw new InvalidInputError(
      "ENVIRONMENT_INVALID",
      `environment: FEDMKT_SERVE_NAME: expected a name for ${location}, whose own requests cannot say (${parsed.error.issues[0].message})`,
    );
  return followsRegistry && partyName.safeParse(folder).success ? `${folder}:base` : folder;
}
