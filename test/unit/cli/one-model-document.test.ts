import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { parseArguments } from "../../../cli/src/arguments.ts";
import { COMMANDS } from "../../../cli/src/command-table.ts";
import { examineTrainSpec } from "../../../shared/src/contracts/train-spec.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");
const PAGE = read("docs/one-model.md");

/** The command lines of a page's shell blocks, without comments, as words. */
function commandsOf(page: string): string[][] {
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block.split("\n"));
  return blocks
    .map((line) => line.replace(/^npx /, "").replace(/\s+#.*$/, ""))
    .filter((line) => /^fedmkt (plan|train|evaluate|generate|extract) /.test(line))
    .map((line) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word).slice(1));
}

const NAMES = ["train", "extract", "evaluate", "generate", "plan"];

describe("the documents of one model's commands", () => {
  it.each(["README.md", "docs/one-model.md"])("%s shows each of them, with options that they have", async (page) => {
    const commands = commandsOf(read(page));
    expect(commands.map(([name]) => name).sort()).toEqual([...NAMES].sort());
    for (const [name, ...argv] of commands) {
      const command = await COMMANDS[name].load();
      expect(() => parseArguments(command, argv)).not.toThrow();
    }
  });

  it("show settings that training takes", () => {
    const [, yaml] = /```yaml\n(.*?)```/s.exec(PAGE)!;
    expect(examineTrainSpec(parse(yaml))).toMatchObject({
      spec: { epochs: 3, lora: { targets: ["q_proj", "v_proj"] } },
    });
  });

  it("give examples in --help that their own arguments take", async () => {
    for (const name of NAMES) {
      const command = await COMMANDS[name].load();
      for (const example of command.examples) {
        const line = example.replace(/ < .*$/, "");
        const [, , ...argv] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word);
        expect(() => parseArguments(command, argv)).not.toThrow();
      }
    }
  });
});
