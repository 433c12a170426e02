import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { remove } from "../../support/cli.ts";
import { fedmkt, killedAfter } from "../../support/cli-process.ts";

const EXAMPLE = fileURLToPath(new URL("../../../examples/quickstart", import.meta.url));
const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));
const EPOCHS = 6;

const folder = mkdtempSync(join(tmpdir(), "fedmkt-training-"));
afterAll(() => remove(folder));

const train = (out: string, ...more: string[]) => [
  "train",
  join(EXAMPLE, "models/ward"),
  ...["--data", join(EXAMPLE, "data/ward.jsonl"), "--held-out", join(EXAMPLE, "data/heldout-ward.jsonl")],
  ...["--out", join(folder, out), "--learning-rate", "3e-3", "--epochs", String(EPOCHS), "--threads", "1"],
  ...more,
];
const contents = (out: string) =>
  Object.fromEntries(
    readdirSync(join(folder, out)).map((name) => [name, readFileSync(join(folder, out, name)).toString("base64")]),
  );

/** Starts the command and sends it a signal once it has written a text. */
function signalledAfter(text: string, signal: NodeJS.Signals, ...args: string[]) {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let written = "";
  let sent = false;
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      written += chunk;
      if (sent || !written.includes(text)) return;
      sent = true;
      child.kill(signal);
    });
  return new Promise<{ exitCode: number | null; written: string }>((done) =>
    child.on("close", (exitCode) => done({ exitCode, written })),
  );
}

describe("a training in a process of its own", () => {
  beforeAll(async () => {
    expect(await fedmkt(...train("whole"))).toMatchObject({ exitCode: 0 });
  }, 60_000);

  it("goes on to the same bytes after SIGKILL at some step, and after another", async () => {
    const first = 1 + Math.floor(Math.random() * (EPOCHS - 3));
    const often = ["--checkpoint-every", "0.02"];
    const killed = await killedAfter(`held out, epoch ${first}:`, ...train("killed", ...often));
    const again = await killedAfter(`held out, epoch ${first + 2}:`, ...train("killed", ...often, "--resume"));
    expect({ first, killed, again }).toEqual({ first, killed: "SIGKILL", again: "SIGKILL" });
    expect(readdirSync(join(folder, "killed"))).not.toContain("adapter_config.json");
    expect(await fedmkt(...train("killed", "--resume"))).toMatchObject({ exitCode: 0 });
    expect(contents("killed")).toEqual(contents("whole"));
  }, 180_000);

  it.each(["SIGINT", "SIGTERM"] as const)(
    "writes itself down on %s, and says how to go on",
    async (signal) => {
      const { exitCode, written } = await signalledAfter("held out, epoch 1:", signal, ...train(signal));
      expect([exitCode, written]).toEqual([
        1,
        expect.stringMatching(/STOPPED_BY_HAND.*to go on:\n(npx )?fedmkt train .* --resume\n$/s),
      ]);
      const command = written.trimEnd().split("\n").at(-1)!;
      expect((await fedmkt(...command.split(" ").slice(1))).exitCode).toBe(0);
      expect(contents(signal)).toEqual(contents("whole"));
    },
    180_000,
  );
});
