import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { cruise, type ICruiseResult } from "dependency-cruiser";

/** Every forbidden kind of import: the rule that must catch it, the file that imports, and what it imports. */
const FORBIDDEN: [rule: string, from: string, to: string][] = [
  ["core-imports", "shared/src/core/planted.ts", "shared/src/contracts/a.ts"],
  ["core-imports", "shared/src/core/planted.ts", "shared/src/engine/a.ts"],
  ["core-packages", "shared/src/core/planted.ts", "zod"],
  ["core-is-pure", "shared/src/core/planted.ts", "node:fs"],
  ["contracts-imports", "shared/src/contracts/planted.ts", "shared/src/formats/a.ts"],
  ["contracts-packages", "shared/src/contracts/planted.ts", "aws-cdk-lib"],
  ["formats-imports", "shared/src/formats/planted.ts", "shared/src/use-cases/a.ts"],
  ["formats-packages", "shared/src/formats/planted.ts", "zod"],
  ["ports-imports", "shared/src/ports/planted.ts", "shared/src/use-cases/a.ts"],
  ["engine-imports", "shared/src/engine/planted.ts", "shared/src/use-cases/a.ts"],
  ["engine-imports", "shared/src/engine/planted.ts", "shared/src/adapters/aws/a.ts"],
  ["one-onnxruntime", "shared/src/engine/planted.ts", "onnxruntime-node"],
  ["one-onnxruntime", "gpu-workers/src/planted.ts", "onnxruntime-node"],
  ["one-onnxruntime", "cli/src/planted.ts", "onnxruntime-node"],
  ["use-cases-imports", "shared/src/use-cases/planted.ts", "shared/src/adapters/aws/a.ts"],
  ["use-cases-imports", "shared/src/use-cases/planted.ts", "shared/src/engine/a.ts"],
  ["use-cases-packages", "shared/src/use-cases/planted.ts", "@aws-sdk/client-s3"],
  ["report-imports", "shared/src/report/planted.ts", "shared/src/use-cases/a.ts"],
  ["adapters-imports", "shared/src/adapters/aws/planted.ts", "shared/src/use-cases/a.ts"],
  ["adapters-imports", "shared/src/adapters/aws/planted.ts", "shared/src/adapters/tokenizers/a.ts"],
  ["one-place-for-middleware", "functions/src/plan-run/planted.ts", "@middy/core"],
  ["one-place-for-sdk", "cli/src/planted.ts", "@aws-sdk/client-s3"],
  ["one-place-for-http", "gpu-workers/src/planted.ts", "fastify"],
  ["one-place-for-http", "shared/src/adapters/upstream/planted.ts", "prom-client"],
  ["one-place-for-http", "shared/src/adapters/keys/planted.ts", "rate-limiter-flexible"],
  ["one-place-for-event-streams", "shared/src/adapters/http/planted.ts", "eventsource-parser"],
  ["adapters-imports", "shared/src/adapters/http/planted.ts", "shared/src/adapters/keys/a.ts"],
  ["shared-hosts-nothing", "shared/src/runtime/planted.ts", "functions/src/plan-run/a.ts"],
  ["functions-import-shared", "functions/src/plan-run/planted.ts", "cli/src/a.ts"],
  ["functions-import-shared", "functions/src/plan-run/planted.ts", "gpu-workers/src/a.ts"],
  ["functions-stay-apart", "functions/src/plan-run/planted.ts", "functions/src/close-round/a.ts"],
  ["functions-do-not-train", "functions/src/plan-run/planted.ts", "shared/src/engine/a.ts"],
  ["workers-import-shared", "gpu-workers/src/planted.ts", "functions/src/plan-run/a.ts"],
  ["cdk-imports-contracts", "cdk/lib/planted.ts", "shared/src/use-cases/a.ts"],
  ["cdk-imports-contracts", "cdk/lib/planted.ts", "functions/src/plan-run/a.ts"],
  ["nothing-imports-tests", "cli/src/planted.ts", "test/support/a.ts"],
];

/** Importing a type alone is importing too. */
const FORBIDDEN_TYPES: [rule: string, from: string, to: string][] = [
  ["core-imports", "shared/src/core/planted-type.ts", "shared/src/contracts/a.ts"],
  ["functions-import-shared", "functions/src/plan-run/planted-type.ts", "cli/src/a.ts"],
  ["cdk-imports-contracts", "cdk/lib/planted-type.ts", "shared/src/use-cases/a.ts"],
];

/** A sample of what must stay allowed, so that a rule that forbids everything is noticed. */
const ALLOWED: [from: string, to: string][] = [
  ["shared/src/contracts/allowed.ts", "zod"],
  ["shared/src/contracts/allowed.ts", "shared/src/core/a.ts"],
  ["shared/src/use-cases/allowed.ts", "shared/src/ports/a.ts"],
  ["shared/src/adapters/aws/allowed.ts", "@aws-sdk/client-s3"],
  ["shared/src/adapters/http/allowed.ts", "fastify"],
  ["shared/src/adapters/upstream/allowed.ts", "eventsource-parser"],
  ["shared/src/engine/session.ts", "onnxruntime-node"],
  ["cli/src/local/allowed.ts", "@aws-sdk/client-s3"],
  ["cli/src/cloud/allowed.ts", "@aws-sdk/client-s3"],
  ["functions/src/plan-run/allowed.ts", "shared/src/runtime/a.ts"],
  ["cdk/lib/allowed.ts", "shared/src/contracts/a.ts"],
];

const PACKAGES = [
  "zod",
  "aws-cdk-lib",
  "onnxruntime-node",
  "@aws-sdk/client-s3",
  "@middy/core",
  "fastify",
  "prom-client",
  "rate-limiter-flexible",
  "eventsource-parser",
];

describe("the dependency rules", () => {
  let tree: string;
  let violations: Set<string>;

  beforeAll(async () => {
    tree = realpathSync(mkdtempSync(join(tmpdir(), "boundaries-")));
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text);
    };
    write(
      "package.json",
      JSON.stringify({ name: "planted", dependencies: Object.fromEntries(PACKAGES.map((name) => [name, "1"])) }),
    );
    for (const name of PACKAGES) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
      write(`node_modules/${name}/index.js`, "module.exports = {};");
    }
    for (const [, from, to] of FORBIDDEN_TYPES) {
      write(to, "export const a = 1;\n");
      const specifier = `${"../".repeat(from.split("/").length - 1)}${to}`;
      write(from, `import type * as planted from "${specifier}";\nexport type Planted = typeof planted;\n`);
    }
    const edges = [...FORBIDDEN.map(([, from, to]) => [from, to] as const), ...ALLOWED];
    const imports = new Map<string, string[]>();
    for (const [from, to] of edges) {
      const local = to.endsWith(".ts");
      if (local) write(to, "export const a = 1;\n");
      const specifier = local ? `${"../".repeat(from.split("/").length - 1)}${to}` : to;
      imports.set(from, [...(imports.get(from) ?? []), specifier]);
    }
    for (const [from, specifiers] of imports)
      write(
        from,
        specifiers
          .map(
            (specifier, index) => `import * as i${index} from "${specifier}";\nexport const e${index} = i${index};\n`,
          )
          .join(""),
      );
    const { forbidden, options } = createRequire(import.meta.url)("../../.dependency-cruiser.cjs");
    const { output } = await cruise(
      ["shared", "functions", "gpu-workers", "cli", "cdk"],
      { ...options, baseDir: tree, validate: true, ruleSet: { forbidden } },
      options.enhancedResolveOptions,
    );
    violations = new Set(
      (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
    );
  });

  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it.each(FORBIDDEN)("%s catches %s importing %s", (rule, from, to) => {
    const target = to.endsWith(".ts") ? to : to.startsWith("node:") ? to.slice(5) : `node_modules/${to}/index.js`;
    expect([...violations]).toContain(`${rule}: ${from} → ${target}`);
  });

  it.each(FORBIDDEN_TYPES)("%s catches %s importing a type of %s", (rule, from, to) => {
    expect([...violations]).toContain(`${rule}: ${from} → ${to}`);
  });

  it.each(ALLOWED)("%s may import %s", (from) => {
    expect([...violations].filter((violation) => violation.includes(`${from} →`))).toEqual([]);
  });
});
