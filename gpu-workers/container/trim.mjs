/**
 * Takes out of an installed onnxruntime-node what a Linux worker never loads: other systems' libraries. Fails where a library is
 * missing that the worker will load, so that an image is not built rather than broken.
 *
 *   node trim.mjs NODE_MODULES ARCHITECTURE DEVICE     as in: node trim.mjs node_modules x64 cuda
 */
import { existsSync, globSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const [nodeModules, architecture, device] = process.argv.slice(2);
const NEEDED = {
  cpu: ["onnxruntime_binding.node", "libonnxruntime.so.1"],
  cuda: [
    "onnxruntime_binding.node",
    "libonnxruntime.so.1",
    "libonnxruntime_providers_shared.so",
    "libonnxruntime_providers_cuda.so",
  ],
};
if (!nodeModules || !["x64", "arm64"].includes(architecture) || !Object.hasOwn(NEEDED, device)) {
  console.error("usage: node trim.mjs NODE_MODULES x64|arm64 cpu|cuda");
  process.exit(2);
}

const [binaries] = globSync(join(nodeModules, "onnxruntime-node/bin/napi-v*"));
const missing = NEEDED[device].filter((file) => !binaries || !existsSync(join(binaries, "linux", architecture, file)));
if (missing.length > 0) {
  console.error(`onnxruntime-node has no ${missing.join(", ")} for linux/${architecture}`);
  process.exit(1);
}

const unused = [...others(binaries, "linux"), ...others(join(binaries, "linux"), architecture)];
const before = bytesIn(binaries);
for (const place of unused) rmSync(place, { recursive: true, force: true });
const after = bytesIn(binaries);
console.log(`onnxruntime-node: ${mebibytes(before)} MiB of libraries, of which ${mebibytes(after)} MiB stay`);

function others(folder, kept) {
  return readdirSync(folder)
    .filter((name) => name !== kept)
    .map((name) => join(folder, name));
}

function bytesIn(folder) {
  return globSync(join(folder, "**/*")).reduce((sum, file) => {
    const status = statSync(file);
    return status.isFile() ? sum + status.size : sum;
  }, 0);
}

function mebibytes(bytes) {
  return (bytes / 2 ** 20).toFixed(0);
}
