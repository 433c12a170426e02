import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { command } from "../../../../cli/src/commands/experiment.ts";
import { experimentFile } from "../../../../shared/src/contracts/experiment-file.ts";
import { keysAt } from "../../../../shared/src/contracts/schema-keys.ts";

const PAGE = readFileSync(fileURLToPath(new URL("../../../../docs/experiment-files.md", import.meta.url)), "utf8");
const rows = [...PAGE.matchAll(/^\| `([^` ]+)[^`]*` \|/gm)].map(([, name]) => name!);

describe("docs/experiment-files.md", () => {
  it("has every key of the file", () => {
    const keys = keysAt(experimentFile, []).filter((key) => key !== "$schema");
    expect(keys.length).toBeGreaterThan(7);
    expect(rows.filter((name) => !name.startsWith("--"))).toEqual(
      keys.sort((a, b) => rows.indexOf(a) - rows.indexOf(b)),
    );
  });

  it("has every option of the command", () => {
    const options = Object.keys(command.args).filter((name) => name !== "file");
    expect(rows.filter((name) => name.startsWith("--")).sort()).toEqual(options.map((name) => `--${name}`).sort());
  });
});
