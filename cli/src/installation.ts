import { fileURLToPath } from "node:url";
import { isBundled } from "@fedmkt/shared/core/program-url.ts";

const IS_PACKAGE = isBundled(import.meta.url);

/** The project's own folder, two above this one; null in the bundled package, which has no sources. */
export const CHECKOUT: string | null = IS_PACKAGE ? null : fileURLToPath(new URL("../../", import.meta.url));

/** The cloud assembly that was synthesized when the package was made; null in the checkout, where it is made from the sources. */
export const PACKAGED_ASSEMBLY: string | null = IS_PACKAGE
  ? fileURLToPath(new URL("./assembly", import.meta.url))
  : null;
