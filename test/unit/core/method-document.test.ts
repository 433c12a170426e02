import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

describe("docs/method.md", () => {
  it("names the test of every difference from the paper and FATE-LLM, and every such test is named", () => {
    const tests = globSync("test/{unit,property,golden}/{core,engine,tokenizers}/**/*.test.ts", { cwd: ROOT })
      .map((file) => readFileSync(`${ROOT}${file}`, "utf8"))
      .join("\n");
    const held = [...tests.matchAll(/["`](knownDivergence[ :].*?)["`], (?:async )?\(\) =>/g)].map(([, title]) => title);
    const named = [...readFileSync(`${ROOT}docs/method.md`, "utf8").matchAll(/`(knownDivergence[ :].*?)` \|$/gm)];
    expect(held.length).toBeGreaterThan(10);
    expect(named.map(([, title]) => title).sort()).toEqual(held.sort());
  });
});
