import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "@jest/globals";
import { keepAdaptersLoaded } from "../../../../shared/src/use-cases/serving/keep-adapters-loaded.ts";
import { NameTable } from "../../../../shared/src/use-cases/serving/name-table.ts";
import { AdapterHolder } from "../../../support/adapter-holder.ts";
import { publishInFolder } from "../../../support/published-adapter.ts";

const runs = mkdtempSync(join(tmpdir(), "fedmkt-kept-"));
afterAll(() => rmSync(runs, { recursive: true, force: true }));

it("gives a server behind its adapters again after every restart, and tells of its absence once", async () => {
  const inference = new AdapterHolder();
  const names = new NameTable(inference, await inference.describe(), () => 0);
  const folder = publishInFolder(runs, { party: "ward", run: "first" });
  names.serve("ward", await names.load("ward", folder), { root: folder, lineage: null });
  const told: string[] = [];
  const tell = (message: string, { code, adapters }: Record<string, unknown>) =>
    told.push([message, code, adapters].filter(Boolean).join(" | "));
  const ended = new AbortController();
  const happenings = [
    () => {},
    () => {
      inference.isDown = true;
      inference.loaded.clear();
    },
    () => {},
    () => {
      inference.isDown = false;
    },
    () => inference.loaded.clear(),
    () => {
      names.restore = async () => {
        throw new Error("a bug");
      };
    },
    () => ended.abort(),
  ];
  const waits: number[] = [];
  const wait = async (ms: number) => {
    waits.push(ms);
    happenings.shift()!();
  };
  await keepAdaptersLoaded({ names, everyMs: 2000, wait, log: { info: tell, warn: tell } }, ended.signal);
  expect(told).toEqual([
    "adapters not looked after | UPSTREAM_UNAVAILABLE",
    "adapters loaded again: the server behind had lost them | ward",
    "the server behind has all adapters again",
    "adapters loaded again: the server behind had lost them | ward",
    "adapters not looked after | UNEXPECTED",
  ]);
  expect(waits).toEqual(Array(7).fill(2000));
  expect([...inference.loaded.keys()]).toEqual(["ward"]);
});
