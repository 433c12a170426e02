import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "@jest/globals";

const itOnLinux = process.platform === "linux" ? it : it.skip;

itOnLinux("the soak trains a made model where the material is absent, and no thread is left of it", () => {
  const main = fileURLToPath(new URL("../../../bench/main.ts", import.meta.url));
  const written = execFileSync(process.execPath, ["--no-warnings", main, "soak", "--steps", "30"], {
    encoding: "utf8",
    env: { ...process.env, FEDMKT_MATERIAL: "/nowhere" },
  });
  const lines = written.trim().split("\n");
  expect(lines.slice(0, 3)).toEqual(
    [10, 50, 100].map((share) => expect.stringMatching(new RegExp(`^${share} % of 30 steps: \\d+\\.\\d MB$`))),
  );
  const result = JSON.parse(lines.at(-1)!);
  expect(result).toMatchObject({ bench: "soak", steps: 30, memoryGrowthMb: expect.any(Number), threadsLeaked: 0 });
  expect(result.threads.meanwhile).toBeGreaterThan(result.threads.before);
});
