import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { cacheFolder } from "../../../cli/src/cache-folder.ts";
import { isLocked, lockFolder } from "../../../cli/src/folder-lock.ts";
import { identityOf } from "../../../cli/src/process-identity.ts";
import { remove } from "../../support/cli.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fedmkt-lock-"));
});
afterEach(() => remove(folder));

describe("a folder's lock", () => {
  it("is held once, by a process that it names, until it is let go", () => {
    const release = lockFolder(folder);
    expect(isLocked(folder)).toBe(true);
    expect(JSON.parse(readFileSync(join(folder, "lock"), "utf8"))).toEqual(identityOf(process.pid));
    expect(() => lockFolder(folder)).toThrow(`delete ${join(folder, "lock")}`);
    release();
    expect(isLocked(folder)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is refused while its holder lives", () => {
    writeFileSync(join(folder, "lock"), JSON.stringify(identityOf(process.ppid)));
    expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "FOLDER_IN_USE" }));
  });

  it.each(["started", "boot", "host"])("is taken over from a process with the same id and another %s", (what) => {
    writeFileSync(join(folder, "lock"), JSON.stringify({ ...identityOf(process.ppid), [what]: "another" }));
    lockFolder(folder)();
    expect(existsSync(join(folder, "lock"))).toBe(false);
  });

  it("that is empty is being written, unless it is old", () => {
    const lock = join(folder, "lock");
    writeFileSync(lock, "");
    expect(() => lockFolder(folder)).toThrow("process unknown is running there");
    utimesSync(lock, 1, 1);
    lockFolder(folder)();
  });

  it("left behind goes to exactly one of several who want it", async () => {
    writeFileSync(join(folder, "lock"), JSON.stringify({ ...identityOf(process.pid), started: "earlier" }));
    const program = `
      const { lockFolder } = await import(${JSON.stringify(new URL("../../../cli/src/folder-lock.ts", import.meta.url).href)});
      process.stdin.once("data", () => {
        try { lockFolder(${JSON.stringify(folder)}); process.stdout.write("won"); } catch (error) { process.stdout.write(error.code); }
        process.stdin.once("data", () => process.exit());
      });
      process.stdout.write("ready");`;
    const takers = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    const said = () => Promise.all(takers.map(async ({ stdout }) => String((await once(stdout, "data"))[0])));
    await said();
    const answers = said();
    for (const taker of takers) taker.stdin.write("go");
    expect((await answers).sort()).toEqual(["FOLDER_IN_USE", "FOLDER_IN_USE", "FOLDER_IN_USE", "won"]);
    for (const taker of takers) taker.stdin.write("end");
    await Promise.all(takers.map((taker) => once(taker, "exit")));
  });
});

describe("the cache", () => {
  it("lies in the checkout, and with the user where the checkout cannot be written", () => {
    expect(cacheFolder(folder)).toBe(join(folder, ".cache"));
    const locked = join(folder, "locked");
    mkdirSync(locked);
    writeFileSync(join(locked, ".cache"), ""); // nobody, root included, can make a folder of it
    expect(cacheFolder(locked, { XDG_CACHE_HOME: "/somewhere" })).toBe("/somewhere/fedmkt");
    expect(cacheFolder(locked, {})).toMatch(/\.cache\/fedmkt$/);
  });
});
