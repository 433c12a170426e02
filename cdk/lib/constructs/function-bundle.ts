import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AssetHashType, DockerImage } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { buildSync } from "esbuild";

const source = fileURLToPath(new URL("../../../functions/src", import.meta.url));

// CommonJS dependencies inside an ES module still call require
const CREATE_REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * All functions as one asset: one esbuild pass over every `functions/src/<name>/entry.ts`, shared code in shared chunks.
 * A function's handler is `<name>.handler`. See docs/decisions/one-bundle-for-all-functions.md.
 */
export function functionBundle(): Code {
  return Code.fromAsset(source, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // never pulled: the local bundler below always succeeds or throws
      image: DockerImage.fromRegistry("scratch"),
      local: {
        tryBundle(outdir) {
          bundleFunctions(outdir);
          return true;
        },
      },
    },
  });
}

/** Writes `<name>.mjs` for every function, and their shared chunks, to a folder. @throws Error where esbuild refuses the code */
export function bundleFunctions(outdir: string): void {
  buildSync({
    entryPoints: functionNames().map((name) => ({ in: path.join(source, name, "entry.ts"), out: name })),
    outdir,
    bundle: true,
    splitting: true,
    platform: "node",
    target: "node24",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[name]-[hash]",
    mainFields: ["module", "main"],
    banner: { js: CREATE_REQUIRE },
    minify: false,
    sourcemap: false,
    legalComments: "none",
    logLevel: "error",
  });
}

/** Every folder of `functions/src`. */
export function functionNames(): string[] {
  return readdirSync(source, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
