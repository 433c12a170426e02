import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { findMissingForCuda, thisMachine } from "@fedmkt/shared/engine/cuda-parts.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { cacheFolder } from "./cache-folder.ts";
import type { Dependencies } from "./dependencies.ts";

const NODE_MAJOR = 24;
/** What a local run of the quickstart may take. */
const NEEDED_MEMORY_BYTES = 1.5 * 1024 ** 3;
/** Shards, checkpoints and logs of a small run, with room. */
const NEEDED_DISK_BYTES = 1024 ** 3;
/** What onnxruntime-node has binaries for. */
const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-arm64", "win32-x64", "win32-arm64"];

export interface MachineCheck {
  name: string;
  ok: boolean;
  /** true where a federation runs without it, too */
  isOptional?: true;
  /** what was found, and where it does not do, what is needed */
  found: string;
}

/** Everything a local run needs of the machine, each looked at whatever the others say. */
export async function examineMachine(
  folder: string,
  { loadEngine }: Pick<Dependencies, "loadEngine">,
): Promise<MachineCheck[]> {
  const platform = `${process.platform}-${process.arch}`;
  // a container may have less than the machine; 0 or more than there is: no limit
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const cache = cacheFolder();
  return [
    check(
      "Node",
      Number(process.versions.node.split(".")[0]) >= NODE_MAJOR,
      process.versions.node,
      `${NODE_MAJOR} or later`,
    ),
    check(
      "platform",
      PLATFORMS.includes(platform),
      platform,
      `one of ${PLATFORMS.join(", ")}${platform === "darwin-x64" ? "; onnxruntime-node has no binaries for Intel Macs" : ""}`,
    ),
    await attempt("engine", "onnxruntime loads", loadEngine),
    examineGpu(),
    check("processors", availableParallelism() >= 1, String(availableParallelism()), "1"),
    check(
      "memory",
      memory >= NEEDED_MEMORY_BYTES,
      `${formatBytes(memory)}, ${formatBytes(freemem())} of it free`,
      formatBytes(NEEDED_MEMORY_BYTES),
    ),
    await examineDisk(folder),
    await attempt("folder", `${folder} is writable`, async () => tryToWrite(folder)),
    await attempt("cache", `${cache} is writable`, async () => {
      mkdirSync(cache, { recursive: true });
      tryToWrite(cache);
    }),
    await attempt("loopback", "a port on 127.0.0.1 can be opened", tryToListen),
  ];
}

function check(name: string, ok: boolean, got: string, expected: string): MachineCheck {
  return { name, ok, found: ok ? got : `expected ${expected}, got ${got}` };
}

/** A GPU is used only where `--device cuda` or FEDMKT_DEVICE asks for it. */
function examineGpu(): MachineCheck {
  let missing: string | null;
  try {
    missing = findMissingForCuda(thisMachine());
  } catch (error) {
    missing = `onnxruntime-node was not found: ${(error as Error).message}`;
  }
  const ok = missing === null;
  return {
    name: "GPU",
    ok,
    isOptional: true,
    found: missing ?? "CUDA's provider and libraries load, and there is a GPU",
  };
}

async function attempt(name: string, found: string, act: () => Promise<unknown>): Promise<MachineCheck> {
  try {
    await act();
    return { name, ok: true, found };
  } catch (error) {
    return { name, ok: false, found: `not so: ${found}: ${(error as Error).message}` };
  }
}

async function examineDisk(folder: string): Promise<MachineCheck> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  return check("disk", free >= NEEDED_DISK_BYTES, `${formatBytes(free)} free`, formatBytes(NEEDED_DISK_BYTES));
}

function tryToWrite(folder: string): void {
  const trial = mkdtempSync(join(folder, ".fedmkt-doctor-"));
  try {
    writeFileSync(join(trial, "trial"), "trial");
  } finally {
    rmSync(trial, { recursive: true });
  }
}

function tryToListen(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => server.close(() => resolve()));
  return promise;
}
