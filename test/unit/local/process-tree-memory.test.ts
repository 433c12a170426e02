import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { processTreeMemory, watchTreeMemory } from "../../../cli/src/local/process-tree-memory.ts";

describe("the memory of a process tree", () => {
  it("counts the children's with the parent's, and is null where it cannot be measured", async () => {
    if (!existsSync("/proc/self/smaps_rollup")) {
      expect(processTreeMemory()).toBeNull();
      return;
    }
    const watch = watchTreeMemory();
    const before = processTreeMemory()!;
    const child = spawn(
      process.execPath,
      ["-e", "globalThis.kept = Buffer.alloc(60e6, 1); console.log('up'); setInterval(() => {}, 1000)"],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    await once(child.stdout, "data");
    expect(processTreeMemory()! - before).toBeGreaterThan(50e6);
    const ended = once(child, "exit");
    child.kill();
    await ended;
    expect(watch.stop()).toBeGreaterThan(0);
    expect(processTreeMemory(2 ** 22 + 1)).toBeNull();
  });
});
