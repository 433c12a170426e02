import { spawnSync } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "@jest/globals";

const MODULE = pathToFileURL(path.resolve(import.meta.dirname, "../../../gpu-workers/src/process-stop.ts")).href;

/** Runs lines in a process that listens, its log on stdout, one JSON line each. */
function listening(...lines: string[]) {
  const program = [
    `import { listenForStop } from ${JSON.stringify(MODULE)};`,
    "const log = (level) => (message, extra) => console.log(JSON.stringify({ level, message, error: extra.error?.message }));",
    'const stop = listenForStop(["SIGTERM"], { warn: log("warn"), error: log("error") });',
    ...lines,
  ].join("\n");
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  return {
    status,
    log: stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  };
}

describe("a worker's process in which nobody catches an error", () => {
  it("says which, also where there is no job that could fail with it", () => {
    const { log } = listening(
      'setTimeout(() => { throw new Error("first"); });',
      'setTimeout(() => Promise.reject(new Error("second")), 20);',
      "setTimeout(() => process.exit(), 40);",
    );
    const message = "worker is broken: an error was caught by nobody";
    expect(log).toEqual(["first", "second"].map((error) => ({ level: "error", message, error })));
  });

  it("lives on to give up what is under way, with the first error as its reason", () => {
    const { status } = listening(
      'stop.gaveUp.addEventListener("abort", () => setTimeout(() => process.exit(stop.gaveUp.reason.message === "first" ? 7 : 8), 40));',
      'setTimeout(() => { throw new Error("first"); });',
      'setTimeout(() => { throw new Error("second"); }, 20);',
    );
    expect(status).toBe(7);
  });
});
