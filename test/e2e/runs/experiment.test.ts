import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { experimentResults } from "../../../shared/src/contracts/experiment-results.ts";
import { fedmkt, killedWhen } from "../../support/cli-process.ts";
import { specYaml, writeTinyFederation } from "../../support/tiny-federation.ts";

const EXPERIMENT = `name: tiny
base: run.yaml
seeds: [1, 2]
factors:
  learn:
    group: { distillation: { learn: group } }
    token: { distillation: { learn: token } }
`;
const RESULTS = ["results.json", "results.md", "results.html"];

/** Real runs of a server and one client, as a user starts them: eight whole ones, so each is as small as it can be. */
describe("fedmkt experiment", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "experiment-"));
    const tiny = writeTinyFederation(folder);
    const clients = tiny.clients.slice(0, 1);
    const evaluation = tiny.evaluation!.filter(({ owner }) => owner === clients[0].id);
    const spec = { ...tiny, rounds: 1, clients, evaluation, baselines: ["standalone+public" as const] };
    writeFileSync(join(folder, "run.yaml"), specYaml(spec));
    writeFileSync(join(folder, "tiny.yaml"), EXPERIMENT);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const command = (out: string, ...more: string[]) => [
    ...["experiment", join(folder, "tiny.yaml"), "--out", join(folder, out)],
    ...more,
  ];
  const bytesOf = (out: string) => RESULTS.map((name) => readFileSync(join(folder, out, name), "utf8"));

  it("runs two cells with two seeds, and trains a baseline that both share once a seed", async () => {
    const { exitCode, stdout } = await fedmkt(...command("whole", "--concurrency", "2", "--json"));
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, data: { experiment: "tiny" } });
    const results = experimentResults.parse(JSON.parse(bytesOf("whole")[0]!));
    expect(results.runs.map(({ status }) => status)).toEqual(["done", "done", "done", "done"]);
    const [group, token] = ["group", "token"].map((cell) =>
      results.scores.filter((score) => score.cell === cell && score.variant === "standalone+public"),
    );
    expect(token).toEqual(group!.map((score) => ({ ...score, cell: "token" })));
    expect(new Set(group!.map(({ seed }) => seed)).size).toBe(2);
    const against = results.comparisons.find(({ cell, party }) => cell === "token" && party === null)!;
    expect(against).toMatchObject({ against: "standalone+public", count: 2, of: 2 });
  }, 600_000);

  it("leaves summaries and adapters, and no shards", () => {
    const cell = join(folder, "whole/cells/token");
    for (const run of readdirSync(cell)) {
      expect(existsSync(join(cell, run, "summary.json"))).toBe(true);
      expect(existsSync(join(cell, run, "adapters/server/adapter_model.safetensors"))).toBe(true);
      expect(existsSync(join(cell, run, "aws"))).toBe(false);
    }
  });

  it("goes on after it was killed, and ends in the same bytes", async () => {
    // the third of four runs is in the middle of its round; folders of finished ones are taken away meanwhile
    const third = join(folder, "killed/cells/group");
    const isTraining = () =>
      existsSync(third) &&
      readdirSync(third)
        .filter((run) => run.startsWith("2-"))
        .flatMap((run) => readdirSync(join(third, run), { recursive: true, encoding: "utf8" }))
        .some((path) => /client-distil.*manifest/.test(path));
    expect(await killedWhen(isTraining, ...command("killed"))).toBe("SIGKILL");
    const { exitCode, stderr } = await fedmkt(...command("killed"));
    expect(exitCode).toBe(0);
    expect(stderr).toContain("2 runs to do, 2 done before");
    expect(bytesOf("killed")).toEqual(bytesOf("whole"));
  }, 600_000);

  it("tells a file's mistakes before anything runs", async () => {
    writeFileSync(
      join(folder, "bad.yaml"),
      EXPERIMENT.replace("learn: token }", "lern: token }").replace("[1, 2]", "[]"),
    );
    const first = await fedmkt("experiment", join(folder, "bad.yaml"), "--out", join(folder, "bad"));
    expect(first).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("line 3, seeds: expected at least 1 item"),
    });
    writeFileSync(join(folder, "bad.yaml"), EXPERIMENT.replace("learn: token }", "lern: token }"));
    const second = await fedmkt("experiment", join(folder, "bad.yaml"), "--out", join(folder, "bad"));
    expect(second.exitCode).toBe(2);
    expect(second.stderr).toContain(
      "line 7, factors.learn.token.distillation.lern: unknown key; did you mean learn? (cell token)",
    );
    expect(existsSync(join(folder, "bad"))).toBe(false);
  }, 60_000);
});
