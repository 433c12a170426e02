#!/usr/bin/env node
// The one file that an older Node must understand: it starts the program with the Node 24 that npm installed beside it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NEEDED_MAJOR = 24;
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

if (Number(process.versions.node.split(".")[0]) >= NEEDED_MAJOR) {
  // in the checkout the sources, in the package what was made of them: a package has no sources
  const isCheckout = existsSync(new URL("../src/main.ts", import.meta.url));
  const load = (program) => import(isCheckout ? `../src/${program}.ts` : `../dist/${program}.js`);
  const { cacheFolder } = await load("cache-folder");
  module.enableCompileCache(join(cacheFolder(), "compile"));
  const { main } = await load("main");
  await main();
} else {
  const node = findBundledNode();
  if (node === null) {
    console.error(
      `fedmkt needs Node ${NEEDED_MAJOR} or later; this is ${process.versions.node}, and the "node" package of npm, which brings it, is not installed.\nInstall again without --ignore-scripts ("npm ci" in the project's folder), or install Node ${NEEDED_MAJOR}.`,
    );
    process.exitCode = 1;
  } else runWith(node);
}

/** @returns the binary of npm's "node" package: from wherever npm put the package, or null */
function findBundledNode() {
  const name = process.platform === "win32" ? "node.exe" : "node";
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("node/package.json"));
    const binary = join(folder, "bin", name);
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

function runWith(node) {
  // V8 loses count of code pages now and then where threads come and go and the processor has protection keys: then it aborts
  const flags = ["--no-memory-protection-keys"];
  const program = fileURLToPath(import.meta.url);
  const child = spawn(node, [...flags, program, ...process.argv.slice(2)], { stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  child.on("error", (error) => {
    console.error(`fedmkt: ${node} does not start: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    for (const name of FORWARDED_SIGNALS) process.off(name, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}
