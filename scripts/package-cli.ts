/**
 * Makes what `npm pack` puts into the package `fedmkt`: run by npm before it packs, it writes `cli/dist`, which the package holds
 * beside `cli/bin`. Programs and everything they import but the packages below are bundled; the cloud assembly is synthesized, since
 * a site has neither the sources nor the CDK.
 */
import { copyFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { synthesize, synthesizeSite } from "../cdk/lib/synthesize.ts";
import { synthesizeAssembly } from "../cli/src/local/synthesize.ts";
import { ENVIRONMENTS } from "../shared/src/contracts/deployment.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = fileURLToPath(new URL("../cli/dist/", import.meta.url));

/** Every program by the name that the launcher and `programUrl` know it by. */
export const PROGRAMS = {
  main: "cli/src/main.ts",
  "cache-folder": "cli/src/cache-folder.ts",
  "lambda-thread": "cli/src/local/lambda-thread-main.ts",
  "die-with-parent": "cli/src/local/die-with-parent.ts",
  "task-worker": "gpu-workers/src/entry.ts",
  "queue-worker": "gpu-workers/src/queue-entry.ts",
  "engine-thread": "shared/src/engine/worker.ts",
} as const;

/**
 * Left as ordinary dependencies, with the versions of cli/package.json: onnxruntime-node is native; the two that stand in for AWS are
 * large, and aws-local-stepfunctions must be one instance for all who ask it for its error classes.
 */
const NOT_BUNDLED = ["onnxruntime-node", "fauxqs", "aws-local-stepfunctions"];

// CommonJS dependencies inside an ES module still call require
const CREATE_REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Bundles every program into one folder, with the code that they share beside them. */
export async function bundlePrograms(folder: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(PROGRAMS).map(([out, path]) => ({ in: path, out })),
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: "shared-[hash]",
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    external: NOT_BUNDLED,
    banner: { js: CREATE_REQUIRE },
    // names of classes and functions stay: errors are told by them
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "linked",
    logLevel: "error",
  });
}

/** Puts the assembly of a local run into a folder, and beside it what is deployed by parameters alone: clients' and sites' stacks. */
async function writeAssembly(folder: string): Promise<void> {
  const { folder: synthesized } = await synthesizeAssembly();
  // the metadata say where on this machine each construct was written down, which is nobody's business
  cpSync(synthesized, folder, { recursive: true, filter: (source) => !source.endsWith(".metadata.json") });
  for (const environment of ENVIRONMENTS) {
    for (const [stack, assembly] of [
      ["client", synthesize({ environment, clientTemplate: true, bundle: false, outdir: temporaryFolder() })],
      ["site", synthesizeSite({ environment, outdir: temporaryFolder() })],
    ]) {
      const template = `fedmkt-${environment}-${stack}.template.json`;
      copyFileSync(join(assembly, template), join(folder, template));
      rmSync(assembly, { recursive: true });
    }
  }
}

const temporaryFolder = () => mkdtempSync(join(tmpdir(), "fedmkt-package-"));

if (import.meta.main) {
  rmSync(dist, { recursive: true, force: true });
  await bundlePrograms(dist);
  await writeAssembly(join(dist, "assembly"));
}
