import { existsSync } from "node:fs";
import { join } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { CHECKOUT } from "../installation.ts";

/** @throws InvalidInputError `CHECKOUT_NEEDED` in the bundled package */
export function requireCheckout(command: string, checkout: string | null = CHECKOUT): string {
  if (checkout !== null && existsSync(join(checkout, "cdk/bin/app.ts"))) return checkout;
  throw new InvalidInputError(
    "CHECKOUT_NEEDED",
    `fedmkt ${command} needs the project's checkout with its CDK app, and this is the installed package; clone the repository, npm ci, and run npx fedmkt ${command} there`,
  );
}
