import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { synthesizeAssembly } from "../../../cli/src/local/synthesize.ts";

function repositoryWith(app: string) {
  const repository = mkdtempSync(path.join(tmpdir(), "fedmkt-synthesize-"));
  mkdirSync(path.join(repository, "cdk"));
  writeFileSync(path.join(repository, "cdk", "app.mjs"), app);
  const cacheFolder = path.join(repository, ".cache");
  const program = [process.execPath, path.join(repository, "cdk", "app.mjs")];
  return { repository, cacheFolder, program };
}
const APP = `
  import { appendFileSync, writeFileSync } from "node:fs";
  appendFileSync("runs.txt", "x");
  writeFileSync(process.env.CDK_OUTDIR + "/manifest.json", "{}");`;

describe("synthesizing", () => {
  it("happens anew when a workspace's package.json changes", async () => {
    const options = repositoryWith(APP);
    const { folder } = await synthesizeAssembly(options);
    writeFileSync(path.join(options.repository, "package.json"), "{}");
    expect((await synthesizeAssembly(options)).folder).not.toBe(folder);
  });

  it("keeps the last used assemblies and takes away older ones and what was killed an hour ago", async () => {
    const options = repositoryWith(APP);
    const old = (name: string, hours: number) => {
      const place = path.join(options.cacheFolder, name);
      mkdirSync(place, { recursive: true });
      utimesSync(place, Date.now() / 1000 - hours * 3600, Date.now() / 1000 - hours * 3600);
    };
    for (let hours = 1; hours <= 6; hours++) old(`used-${hours}-hours-ago`, hours);
    old("killed.unfinished", 2);
    old("under-way.unfinished", 0);
    const { folder } = await synthesizeAssembly(options);
    const used = [1, 2, 3, 4].map((hours) => `used-${hours}-hours-ago`);
    expect(readdirSync(options.cacheFolder).sort()).toEqual(
      [path.basename(folder), "under-way.unfinished", ...used].sort(),
    );
  });

  it("is ended by a signal, whose reason is thrown", async () => {
    const options = repositoryWith("setInterval(() => {}, 1000);");
    const controller = new AbortController();
    const synthesized = synthesizeAssembly({ ...options, signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(synthesized).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(options.cacheFolder)).toEqual([]);
  });

  it("happens once for each state of the sources, also when two start at once", async () => {
    const options = repositoryWith(APP);
    const [first, second] = await Promise.all([synthesizeAssembly(options), synthesizeAssembly(options)]);
    expect(second.folder).toBe(first.folder);
    expect(existsSync(path.join(first.folder, "manifest.json"))).toBe(true);
    const runs = () => readFileSync(path.join(options.repository, "runs.txt"), "utf8").length;
    const before = runs();
    expect(await synthesizeAssembly(options)).toEqual({ folder: first.folder, cached: true });
    expect(runs()).toBe(before);
    appendFileSync(path.join(options.repository, "cdk", "app.mjs"), "// changed\n");
    expect((await synthesizeAssembly(options)).folder).not.toBe(first.folder);
    expect(readdirSync(options.cacheFolder).filter((name) => name.includes("unfinished"))).toEqual([]);
  });

  it("that fails says what the app said, and leaves nothing behind", async () => {
    const options = repositoryWith(`console.error("no such construct"); process.exit(3);`);
    await expect(synthesizeAssembly(options)).rejects.toMatchObject({
      code: "SYNTHESIS_FAILED",
      message: expect.stringMatching(/exit code 3:\nno such construct/),
    });
    expect(readdirSync(options.cacheFolder)).toEqual([]);
  });
});
