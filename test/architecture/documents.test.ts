import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { STAGES } from "../../shared/src/contracts/stages.ts";
import { MODEL_TYPES, parseArchitecture } from "../../shared/src/engine/architectures/parse-architecture.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** The config.json of a small model of that type. */
function configOf(modelType: string): Uint8Array {
  const folder = join(ROOT, "test/golden/fixtures/architectures");
  const configs = readdirSync(folder).map((name) => readFileSync(join(folder, name, "config.json")));
  return configs.find((json) => JSON.parse(json.toString()).model_type === modelType)!;
}

describe("the documents", () => {
  it("have the table of stages as the contracts have it", () => {
    expect(() =>
      execFileSync(process.execPath, [join(ROOT, "scripts/generate-stage-table.ts"), "--check"]),
    ).not.toThrow();
  });

  it("have the tables of costs and limits as the model of costs reckons them", () => {
    expect(() => execFileSync(process.execPath, [join(ROOT, "scripts/cost-tables.ts"), "--check"])).not.toThrow();
  });

  it("name every room of shared/src in the drawing of the architecture", () => {
    const drawn = read("docs/architecture.md");
    for (const room of readdirSync(join(ROOT, "shared/src"))) expect(drawn).toContain(`  ${room}/`);
    for (const workspace of JSON.parse(read("package.json")).workspaces) expect(drawn).toContain(`${workspace}/`);
  });

  it("name every architecture, and what LoRA adapts in it", () => {
    const rows = read("docs/models.md")
      .match(/^\| `\w+` \|.*$/gm)!
      .map((row) => row.split(" | "));
    const ofConfig = (name: string) => rows.filter(([type]) => type === `| \`${name}\``);
    for (const modelType of MODEL_TYPES) {
      const [[, , peft, usual]] = ofConfig(modelType);
      const { targets } = parseArchitecture(configOf(modelType), "config.json");
      expect([peft, usual.replace(" |", "")]).toEqual([targets.peft.join(", "), targets.usual.join(", ")]);
    }
  });

  it("link to files that are there", () => {
    const pages = [
      "README.md",
      "CONTRIBUTING.md",
      ...readdirSync(join(ROOT, "docs"))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
    ];
    for (const page of pages)
      for (const [, target] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect({ page, target, there: existsSync(join(ROOT, dirname(page), target)) }).toEqual({
          page,
          target,
          there: true,
        });
  });

  it("put the two commands that a newcomer needs at the top of the README", () => {
    const top = read("README.md").split("\n").slice(0, 8).join("\n");
    expect(top).toContain("npm ci && npm start");
    expect(top).toContain("npm ci && npm test");
  });
});

describe("every stage", () => {
  it.each(Object.entries(STAGES))("%s has its use case and its host", (name, { host }) => {
    expect(existsSync(join(ROOT, "shared/src/use-cases", `${name}.ts`))).toBe(true);
    if (host === "lambda") expect(existsSync(join(ROOT, "functions/src", name, "entry.ts"))).toBe(true);
    else expect(read("gpu-workers/src/stages.ts")).toContain(`use-cases/${name}.ts`);
  });
});

describe("the repository", () => {
  it("keeps every test: none lies where git does not look", () => {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" });
    const ignored = git(
      "ls-files",
      "--others",
      "--ignored",
      "--exclude-standard",
      "--",
      "test",
      "shared",
      "functions",
      "gpu-workers",
      "cli",
      "cdk",
    );
    expect(ignored.split("\n").filter((path) => path.endsWith(".ts") && !path.includes("node_modules/"))).toEqual([]);
  });
});
