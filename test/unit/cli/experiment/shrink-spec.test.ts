import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { shrinkSpec } from "../../../../cli/src/experiment/dry-run/shrink-spec.ts";
import { writeSpec } from "../../../../cli/src/read-spec-file.ts";
import { checkMaterial } from "../../../../cli/src/validate/check-material.ts";
import { type RunSpec, type RunSpecInput, runSpec } from "../../../../shared/src/contracts/run-spec.ts";
import { write } from "../../../support/cli.ts";
import { type TinySpec, writeTinyFederation } from "../../../support/tiny-federation.ts";

describe("a dry run's spec", () => {
  let folder: string;
  let tiny: TinySpec;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-shrink-"));
    tiny = writeTinyFederation(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const shrink = (more: Partial<RunSpecInput> = {}) =>
    shrinkSpec(runSpec.parse({ ...tiny, ...more }), join(folder, "small"));
  const mistakesOf = async (spec: RunSpec) => {
    const { mistakes, unchecked } = await checkMaterial(spec, writeSpec(spec).yaml);
    return [...mistakes.map(({ message }) => message), ...unchecked];
  };
  const absent = (name: string) => join(folder, "not-here", name);

  it("has small models of its own, and leaves data that are here where they are", async () => {
    const small = shrink();
    const ofFolder = (location: string) => relative(folder, location);
    expect([small.server, ...small.clients].map(({ model }) => ofFolder(model))).toEqual([
      "small/models/1-server",
      "small/models/2-ships",
      "small/models/3-wards",
    ]);
    expect(small.public.map(({ path }) => ofFolder(path))).toEqual(["data/public.jsonl"]);
    expect(existsSync(join(folder, "small/data"))).toBe(false);
    expect(await mistakesOf(small)).toEqual([]);
  });

  it("takes a few samples of a long file, and all of a short one or where the spec leaves samples out", async () => {
    const lines = Array.from({ length: 40 }, (_, line) => `${JSON.stringify({ text: `ship number ${line}` })}\n`);
    write(folder, "data/long.jsonl", lines.join(""));
    const path = join(folder, "data/long.jsonl");
    const small = shrink({
      public: [path, { path, samples: 3 }, { path, samples: 30, from: 5 }, { path, every: 2 }, tiny.public[0]],
    });
    expect(small.public.map(({ samples }) => samples)).toEqual([8, 3, 8, undefined, undefined]);
    expect(await mistakesOf(small)).toEqual([]);
  });

  it("has synthetic rows of one file wherever it is used, and other rows for each other file", async () => {
    const [ships, wards] = tiny.clients;
    const small = shrink({
      gate: {},
      sampleBytes: 512,
      public: [{ path: absent("a.jsonl"), template: "boolq", from: 100, every: 3 }],
      clients: [
        { ...ships, private: { path: absent("b.jsonl"), template: "boolq" }, validation: absent("v.jsonl") },
        { ...wards, private: { path: absent("a.jsonl"), template: "boolq" } },
      ],
      evaluation: [{ name: "asked", task: "multiple-choice", data: { path: absent("b.jsonl"), template: "boolq" } }],
      baselines: [],
    });
    expect(small.public[0]).toEqual({ path: small.clients[1].private.path, template: "boolq", samples: 8 });
    expect(small.evaluation[0].data.path).toBe(small.clients[0].private.path);
    const read = (path: string) => readFileSync(path, "utf8");
    expect(read(small.public[0].path)).not.toBe(read(small.clients[0].private.path));
    expect(await mistakesOf(small)).toEqual([]);
  });

  it("has rows for a template of one's own where another set names whose they are, and says where they are missing", async () => {
    const own = { prompt: "{{ question }}", completion: " {{ passage }}" };
    const asked = { name: "asked", task: "text" as const, data: { path: absent("c.jsonl"), template: own } };
    const small = shrink({
      ...{ sampleBytes: 512, baselines: [], evaluation: [asked] },
      public: [{ path: absent("a.jsonl"), template: "boolq" }],
    });
    expect(await mistakesOf(small)).toEqual([]);
    expect(() => shrink({ evaluation: [asked] })).toThrow(
      expect.objectContaining({ code: "DRY_RUN_ROWS_UNKNOWN", message: expect.stringContaining("held-out-asked: ") }),
    );
  });

  it("writes conversations by a chat template where the model's is not here", async () => {
    const small = shrink({
      ...{ sampleBytes: 512, evaluation: [], baselines: [] },
      public: [{ path: absent("chat.jsonl"), chatTemplate: absent("tokenizer_config.json") }],
    });
    expect(await mistakesOf(small)).toEqual([]);
  });

  it("keeps the characters of the small tokenizer where those of the large one were to be kept, and all where there is none", () => {
    const [kept, other] = [join(folder, "models/ships/tokenizer.json"), absent("tokenizer.json")];
    const small = shrink({
      public: [kept, other].map((keepCharactersOf) => ({ path: join(folder, "data/public.jsonl"), keepCharactersOf })),
    });
    expect(small.public.map(({ keepCharactersOf }) => keepCharactersOf)).toEqual([
      join(small.clients[0].model, "tokenizer.json"),
      undefined,
    ]);
  });

  it("has every client in its one round", async () => {
    const [ships, wards] = tiny.clients;
    const small = shrink({
      clients: [
        { ...ships, leavesAfterRound: 1 },
        { ...wards, joinsAtRound: 2 },
      ],
    });
    expect(small.rounds).toBe(1);
    expect(await mistakesOf(small)).toEqual([]);
  });

  it("is refused where a model has no config.json, or lies where this machine does not look", () => {
    for (const model of [absent("model"), "s3://models/llama"])
      expect(() => shrink({ server: { ...tiny.server, model } })).toThrow(
        expect.objectContaining({
          code: "MODEL_FILE_MISSING",
          message: expect.stringContaining(`${model}/config.json`),
        }),
      );
  });
});
