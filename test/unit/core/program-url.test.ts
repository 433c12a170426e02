import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { PROGRAMS } from "../../../scripts/package-cli.ts";
import { isBundled, programUrl } from "../../../shared/src/core/program-url.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

describe("where programs lie", () => {
  it("is their TypeScript file in the checkout", () => {
    expect(isBundled("file:///checkout/engine/engine-thread.ts")).toBe(false);
    expect(programUrl("engine-thread", "./worker.ts", "file:///checkout/engine/engine-thread.ts").href).toBe(
      "file:///checkout/engine/worker.ts",
    );
  });

  it("is beside whatever asks in the package, one JavaScript file each", () => {
    expect(isBundled("file:///package/dist/shared-1A2B.js")).toBe(true);
    expect(programUrl("engine-thread", "./worker.ts", "file:///package/dist/shared-1A2B.js").href).toBe(
      "file:///package/dist/engine-thread.js",
    );
  });

  it("is known to the package for every program that anybody starts, under the same file", () => {
    const asked = globSync("{cli,functions,gpu-workers,shared}/src/**/*.ts", { cwd: ROOT }).flatMap((file) =>
      [
        ...readFileSync(join(ROOT, file), "utf8").matchAll(
          /programUrl\(\s*"([^"]+)",\s*"([^"]+)",\s*import\.meta\.url/g,
        ),
      ].map(([, program, source]) => [program, fileURLToPath(new URL(source, `file://${join(ROOT, file)}`))]),
    );
    const packed = Object.entries(PROGRAMS)
      .filter(([program]) => !["main", "cache-folder"].includes(program)) // the launcher's own
      .map(([program, path]) => [program, join(ROOT, path)]);
    expect(asked.sort()).toEqual(packed.sort());
    for (const [, path] of packed) expect(existsSync(path)).toBe(true);
  });
});
