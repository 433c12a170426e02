import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";
import { PACKAGED_ASSEMBLY } from "../installation.ts";
import { requireCheckout } from "./require-checkout.ts";
import { runProgram } from "./run-program.ts";

/**
 * The template of any client's stack, as one line of JSON: the CDK app's own, synthesized from the sources, or that of the package.
 * @throws InvalidInputError `CHECKOUT_NEEDED` where the package brings none for the environment; InvariantError `SYNTHESIS_FAILED`
 */
export async function clientTemplate(environment: EnvironmentName): Promise<string> {
  const name = `fedmkt-${environment}-client.template.json`;
  const packaged = PACKAGED_ASSEMBLY === null ? null : join(PACKAGED_ASSEMBLY, name);
  if (packaged !== null && existsSync(packaged)) return minify(packaged);
  const checkout = requireCheckout("clients add");
  const folder = mkdtempSync(join(tmpdir(), "fedmkt-client-template-"));
  let said = "";
  try {
    const code = await runProgram({
      command: process.execPath,
      args: ["--no-warnings", "cdk/bin/app.ts"],
      cwd: checkout,
      env: {
        CDK_OUTDIR: folder,
        // no stack's functions are bundled: their templates are not what is asked for
        CDK_CONTEXT_JSON: JSON.stringify({ environment, clientTemplate: "true", "aws:cdk:bundling-stacks": [] }),
        NODE_OPTIONS: "",
      },
      onOutput: (text) => {
        said = `${said}${text}`.slice(-4000);
      },
      signal: new AbortController().signal,
    });
    if (code !== 0)
      throw new InvariantError("SYNTHESIS_FAILED", `synthesis ended with exit code ${code}:\n${said.trim()}`);
    return minify(join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** CloudFormation takes 51,200 bytes in a request: none of them for spaces. */
function minify(file: string): string {
  return JSON.stringify(JSON.parse(readFileSync(file, "utf8")));
}
