import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import { writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { readVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { readVocabularyMapJson } from "../../../shared/src/formats/vocabulary-map-json.ts";
import { callCli, remove, write } from "../../support/cli.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";
import { byteLevelTokenizerJson, sentencePieceTokenizerJson } from "../../support/tiny-tokenizers.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-map-"));
afterAll(() => remove(folder));
write(folder, "bytes.json", JSON.stringify(byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "On", "Onc", "Once"])));
write(folder, "pieces.json", JSON.stringify(sentencePieceTokenizerJson(["▁t", "▁th", "▁tha", "▁that", "On", "Onc"])));

const open = (name: string) => openTokenizer(readFileSync(join(folder, name)), new TextEncoder().encode("{}"), name);
const source = open("bytes.json");
const target = open("pieces.json");
const argv = (...more: string[]) => ["map-vocabulary", "--source", "bytes.json", "--target", "pieces.json", ...more];
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));

describe("fedmkt map-vocabulary", () => {
  it.each(["product", "min-edit", "reference"] as const)(
    "writes the map by `%s`, compact and as JSON",
    async (rule) => {
      const map = mapVocabulary(source.vocabulary, target.vocabulary, rule);
      expect(await callCli(folder, argv("--rule", rule, "--full", "--out", "map.json"))).toMatchObject({ exitCode: 0 });
      const plain = readVocabularyMapJson(read("map.json"), "map.json");
      expect(plain).toEqual({
        rule,
        source: `bytes.json (SHA-256 ${source.hash})`,
        target: `pieces.json (SHA-256 ${target.hash})`,
        targetOfSource: map.targetOfSource,
        distance: map.distance,
      });
      const written = JSON.parse(readFileSync(join(folder, "map.json"), "utf8"));
      expect(Object.keys(written)).toEqual(["rule", "source", "target", "entries"]);
      expect(written.entries[5]).toEqual([map.targetOfSource[5], map.distance[5]]);
      expect(await callCli(folder, argv("--rule", rule, "--out", "map.safetensors"))).toMatchObject({ exitCode: 0 });
      const hashes = { sourceTokenizerHash: source.hash, targetTokenizerHash: target.hash };
      expect(readVocabularyMap(read("map.safetensors"), "map", { rule, ...hashes })).toEqual(map);
      expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
    },
  );

  it("with --json says in one line how long the mapping took and what was found", async () => {
    let now = 0;
    const clockMs = () => (now += 250);
    const { exitCode, stdout, stderr } = await callCli(
      folder,
      argv("--rule", "min-edit", "--out", "map.json", "--json"),
      { clockMs },
    );
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    const { ok, data } = JSON.parse(stdout);
    const events = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(ok).toBe(true);
    expect(data.mapSeconds).toBe(0.25 * (1 + events.length));
    const map = mapVocabulary(source.vocabulary, target.vocabulary, "min-edit");
    expect(data).toMatchObject({
      file: join(folder, "map.json"),
      bytes: read("map.json").length,
      rule: "min-edit",
      full: true,
      sourceTokens: source.vocabulary.tokens.length,
      targetTokens: target.vocabulary.tokens.length,
      equal: map.kind.filter((kind) => kind === MAPPED.equal).length,
      edit: map.kind.filter((kind) => kind === MAPPED.edit).length,
      nowhere: 0,
    });
    expect(events.at(-1)).toMatchObject({ event: "progress", phase: "mapping", unit: "tokens" });
  });

  it("shows a bar on a terminal and says what became of the tokens", async () => {
    const { stdout, stderr } = await callCli(folder, argv("--rule", "min-edit", "--out", "map.json"), {
      terminal: true,
    });
    expect(stderr).toContain("mapping");
    expect(stderr).toContain("█");
    expect(stdout).toMatch(/^map\.json: \d+ tokens of \d+ mapped in 0\.00 s \(nowhere 0, equal \d+, .*edit \d+\), /);
  });

  it("with --shard maps only the tokens that the shards' entries name, of all shards given", async () => {
    const knowledge = makeKnowledge([6, 4], [0.3, -1.2, 2.5, 0.7, 1.9]);
    const header = { ...shardHeader, tokenizerHash: source.hash };
    write(folder, "one.safetensors", writeKnowledgeShard(knowledge, header));
    const other = makeKnowledge([5], [-0.4, 3.1, 0.2]);
    write(folder, "two.safetensors", writeKnowledgeShard(other, header));
    const full = mapVocabulary(source.vocabulary, target.vocabulary, "min-edit");
    const mapped = async (...shards: string[]) => {
      const { exitCode, stderr } = await callCli(folder, argv("--rule", "min-edit", "--out", "some.json", ...shards));
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      const { targetOfSource } = readVocabularyMapJson(read("some.json"), "some.json");
      return [...targetOfSource].flatMap((id, token) => {
        if (id === -1) return [];
        expect(id).toBe(full.targetOfSource[token]);
        return [token];
      });
    };
    const idsOf = (...lists: Int32Array[]) => [...new Set(lists.flatMap((list) => [...list]))].sort((a, b) => a - b);
    expect(await mapped("--shard", "one.safetensors")).toEqual(idsOf(knowledge.topIds));
    const both = idsOf(knowledge.topIds, other.topIds);
    expect(await mapped("--shard", "one.safetensors", "--shard=two.safetensors")).toEqual(both);
    expect(await mapped("--shard", "one.safetensors,two.safetensors")).toEqual(both);
  });

  it("refuses a shard of another tokenizer, and --shard together with --full", async () => {
    write(folder, "foreign.safetensors", writeKnowledgeShard(makeKnowledge([5], [-0.4, 3.1, 0.2]), shardHeader));
    const foreign = await callCli(folder, argv("--out", "never.json", "--shard", "foreign.safetensors"));
    expect(foreign).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(
        `SHARD_MISMATCH): foreign.safetensors: expected tokens of --source, whose SHA-256 is ${source.hash}, got those of another tokenizer`,
      ),
    });
    const both = await callCli(folder, argv("--out", "never.json", "--shard", "one.safetensors", "--full"));
    expect(both).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("give one of --full and --shard") });
    expect(existsSync(join(folder, "never.json"))).toBe(false);
  });

  it.each([
    ["a missing source", ["--source", "none.json", "--target", "pieces.json", "--out", "never.json"], "none.json"],
    ["a broken target", ["--source", "bytes.json", "--target", "broken.json", "--out", "never.json"], "INVALID_JSON"],
    [
      "a file in no folder",
      ["--source", "bytes.json", "--target", "pieces.json", "--out", "no/map.json"],
      "no folder no to",
    ],
    ["a folder", ["--source", "bytes.json", "--target", "pieces.json", "--out", "."], "--out: expected a file, . is"],
    ["no target", ["--source", "bytes.json", "--out", "never.json"], "--target"],
    [
      "an empty shard",
      ["--source", "bytes.json", "--target", "pieces.json", "--out", "n.json", "--shard", ""],
      "--shard",
    ],
  ])("refuses %s and writes nothing", async (_, rest, named) => {
    write(folder, "broken.json", "{");
    const { exitCode, stderr } = await callCli(folder, ["map-vocabulary", ...rest]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(named) });
    expect(existsSync(join(folder, "never.json"))).toBe(false);
  });

  it("stops by hand once the map is found, and writes nothing", async () => {
    const stop = new AbortController();
    // as Ctrl-C does, which is heard only when the mapping is over
    const clockMs = () => {
      setImmediate(() => stop.abort());
      return 0;
    };
    const stopped = await callCli(folder, argv("--out", "never.json"), { signal: stop.signal, clockMs });
    expect(stopped).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("STOPPED_BY_HAND") });
    expect(existsSync(join(folder, "never.json"))).toBe(false);
  });

  it("takes a model's folder for its tokenizer.json", async () => {
    write(folder, "whole/tokenizer.json", readFileSync(join(folder, "pieces.json")));
    const words = ["--source", "whole", "--target", "bytes.json", "--out", "of-folder.json"];
    expect(await callCli(folder, ["map-vocabulary", ...words])).toMatchObject({ exitCode: 0 });
    expect(readVocabularyMapJson(read("of-folder.json"), "it").source).toBe(`whole (SHA-256 ${target.hash})`);
  });

  it("reads which tokens open and end a text from config.json beside a model's tokenizer.json", async () => {
    write(folder, "model/tokenizer.json", JSON.stringify(sentencePieceTokenizerJson(["On"])));
    write(folder, "model/config.json", JSON.stringify({ bos_token_id: 2, eos_token_id: 1 }));
    const mapped = await callCli(folder, [
      ...["map-vocabulary", "--source", "model/tokenizer.json", "--target", "pieces.json", "--out", "roles.json"],
    ]);
    expect(mapped.exitCode).toBe(0);
    expect([...readVocabularyMapJson(read("roles.json"), "roles.json").targetOfSource.slice(0, 3)]).toEqual([0, 2, 1]);
  });
});
