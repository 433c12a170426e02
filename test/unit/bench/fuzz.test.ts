import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";

const MAIN = fileURLToPath(new URL("../../../bench/main.ts", import.meta.url));
const describeOnLinux = process.platform === "linux" ? describe : describe.skip;

function fuzz(...options: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", MAIN, "fuzz", ...options], {
    encoding: "utf8",
  });
  return { status, lines: stdout.trim().split("\n"), stderr };
}

describeOnLinux("the fuzzing command", () => {
  it("strikes a format by every bit, every length and drawn changes, and tells in one line of JSON what came of it", () => {
    const { status, lines } = fuzz("--cases", "40", "--format", "weight index");
    expect(status).toBe(0);
    const { cases, refused, harmless, ...rest } = JSON.parse(lines.at(-1)!);
    expect(rest).toMatchObject({ bench: "fuzz", formats: 1, failures: 0, seconds: expect.any(Number) });
    expect(rest.peakMemoryMib).toBeGreaterThan(0);
    // nine for each byte of the index, and the file that is as long as an index may be
    expect(cases).toBeGreaterThan(1000);
    expect(refused + harmless).toBe(cases);
    expect(lines.some((line) => line.startsWith("a weight index of tensors: 1 cases, harmless 1"))).toBe(true);
  });

  it("refuses a number that is none", () => {
    expect(fuzz("--cases", "many")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("--cases: expected a whole number from 1, got many"),
    });
  });
});
