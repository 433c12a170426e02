import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ENVIRONMENTS, type EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { buildApp, buildSite } from "../../cdk/lib/synthesize.ts";
import { summarizeStack } from "./summarize-stack.ts";
import { type StackTemplate, TemplateText } from "./template-text.ts";

/** The one-page summary of every stack of every environment, by the stack's name; a client's is that of any client. */
export function summarizeApp(): Map<string, string> {
  return new Map(ENVIRONMENTS.flatMap((environment) => [...summarizeEnvironment(environment)]));
}

function summarizeEnvironment(environment: EnvironmentName): Map<string, string> {
  const folder = mkdtempSync(path.join(tmpdir(), "fedmkt-summaries-"));
  try {
    const options = { environment, bundle: false, outdir: path.join(folder, "coordinator") };
    const { app, state, pipeline, clientTemplate } = buildApp({ ...options, clientTemplate: true });
    app.synth();
    const { app: siteApp, site } = buildSite({ environment, outdir: path.join(folder, "site") });
    siteApp.synth();
    const templates = new Map(
      [state, pipeline, clientTemplate!, site].map((stack) => [
        stack.stackName,
        JSON.parse(
          readFileSync(path.join(folder, stack === site ? "site" : "coordinator", stack.templateFile), "utf8"),
        ) as StackTemplate,
      ]),
    );
    const prefix = `fedmkt-${environment}-`;
    const exports = new Map<string, string>();
    for (const template of templates.values())
      for (const [name, value] of new TemplateText(template, prefix, exports).exports()) {
        exports.set(name, value);
        exports.set(name.replaceAll(prefix, ""), value);
      }
    return new Map([...templates].map(([name, template]) => [name, summarizeStack(name, template, prefix, exports)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
