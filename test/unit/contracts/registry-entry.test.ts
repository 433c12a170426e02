import { describe, expect, it } from "@jest/globals";
import { registryEntry } from "../../../shared/src/contracts/registry-entry.ts";
import { publishedAdapter } from "../../support/published-adapter.ts";

const { entry } = publishedAdapter({ party: "ward", run: "first", losses: { texts: 2 } });
const [file] = entry.adapter.files;
const withFiles = (...files: unknown[]) => ({ ...entry, adapter: { ...entry.adapter, files } });

describe("a registry entry", () => {
  it("is read as it is written, with its time or, of an older program, without", () => {
    expect(registryEntry.parse(entry)).toEqual(entry);
    const { publishedAt: _, ...older } = entry;
    expect(registryEntry.parse(older)).toEqual(older);
  });

  it.each<[string, unknown]>([
    ["a time of another form, which would not sort", { ...entry, publishedAt: "2026-01-01T00:00:00Z" }],
    ["a time in another zone", { ...entry, publishedAt: "2026-01-01T00:00:00.000+01:00" }],
    ["a party that is no name", { ...entry, party: "../ward" }],
    ["a run that is no name", { ...entry, run: "first@second" }],
    ["a hash of another length", { ...entry, base: { ...entry.base, configHash: "0f" } }],
    ["a file that leads elsewhere", withFiles({ ...file, name: "../x" })],
    ["a file below a folder", withFiles({ ...file, name: "a/b" })],
    ["a hidden file", withFiles({ ...file, name: ".x" })],
    ["a file twice", withFiles(file, file)],
    ["a file larger than any adapter", withFiles({ ...file, bytes: 5 * 1024 ** 3 })],
    [
      "more files than adapters have",
      withFiles(...Array.from({ length: 17 }, (_, index) => ({ ...file, name: `f${index}` }))),
    ],
    ["a score that is not finite", { ...entry, scores: [{ ...entry.scores[0], value: Number.POSITIVE_INFINITY }] }],
    ["more scores than a run has", { ...entry, scores: Array(10_001).fill(entry.scores[0]) }],
    ["a field that it does not have", { ...entry, more: 1 }],
    ["another version", { ...entry, version: 2 }],
  ])("is refused with %s", (_, value) => {
    expect(registryEntry.safeParse(value).success).toBe(false);
  });
});
