import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys } from "../../../shared/src/contracts/keys.ts";
import { clientTrain } from "../../../shared/src/use-cases/client-train.ts";
import { JobOutputs, readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { mapVocabulary } from "../../../shared/src/use-cases/map-vocabulary.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation, writeTinyModel } from "../../support/tiny-federation.ts";
import { characterTokenizerJson } from "../../support/tiny-tokenizers.ts";

describe("planning a run", () => {
  let folder: string;
  let spec: TinySpec;
  let run: StageRun;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "planning-"));
    spec = writeTinyFederation(folder);
    run = stageRun();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const text = (...lines: string[]) => lines.map((line) => `${JSON.stringify({ text: line })}\n`).join("");
  const refused = (code: string, message: RegExp) => ({
    name: "InvalidInputError",
    code,
    message: expect.stringMatching(message),
  });

  it("refuses a public text that a party cannot write, since the loss on it would compare with nobody's", async () => {
    writeFileSync(join(folder, "data/public.jsonl"), text("the ship", "ворона"));
    await expect(plan(run, spec)).rejects.toMatchObject(
      refused("ANSWER_UNWRITABLE", /^wards: public sample .* byte 0.*keepCharactersOf/),
    );
  });

  it("refuses a held-out text that a party cannot write, before anything trains", async () => {
    writeFileSync(join(folder, "data/ships.jsonl"), text("the ship", "ворона"));
    await expect(plan(run, spec)).rejects.toMatchObject(
      refused("ANSWER_UNWRITABLE", /^wards: evaluation ships, sample /),
    );
  });

  it("takes that text once the characters that a party lacks are dropped", async () => {
    writeFileSync(join(folder, "data/public.jsonl"), text("the ship ворона", "the ward"));
    const tokenizer = join(folder, "models/wards/tokenizer.json");
    const data = { path: join(folder, "data/public.jsonl"), keepCharactersOf: tokenizer };
    await expect(plan(run, { ...spec, public: [data] })).resolves.toMatchObject({ run: "tiny" });
  });

  it("cleans multiple-choice questions as it cleans texts", async () => {
    const file = join(folder, "questions.jsonl");
    writeFileSync(file, `${JSON.stringify({ question: "the (ship)", choices: ["a!", "b"], answer: 1 })}\n`);
    const data = { path: file, keepCharactersOf: join(folder, "models/wards/tokenizer.json") };
    await plan(run, { ...spec, evaluation: [{ name: "questions", data, task: "multiple-choice" }] });
    const cut = new TextDecoder().decode(
      await run.objects.get("control", controlKeys.evaluationSet("tiny", "questions"), 1e6),
    );
    expect(JSON.parse(cut)).toMatchObject({ prompt: "the ship", answers: [" a", " b"] });
  });

  it("refuses private data in a cloud that a job in the cluster cannot reach, before any job begins", async () => {
    const [ships, wards] = spec.clients;
    const cloud = { ...run, deps: { ...run.deps, readsLocalFiles: false } };
    const tokenizer = join(folder, "models/wards/tokenizer.json");
    const mixed = {
      ...spec,
      clients: [
        { ...ships, private: { path: "private.jsonl", keepCharactersOf: tokenizer } },
        { ...wards, private: "s3://wards/private.jsonl" },
      ],
      evaluation: [{ name: "ships", data: join(folder, "data/ships.jsonl"), owner: "ships" }],
      simulation: false,
    };
    await expect(plan(cloud, mixed)).rejects.toMatchObject(
      refused(
        "LOCAL_FILES_REFUSED",
        /^client ships: private: private\.jsonl; client ships: private: .*tokenizer\.json; evaluation ships: .*ships\.jsonl: expected s3:/,
      ),
    );
    expect(await run.objects.list("control", "runs/tiny/")).toEqual(["runs/tiny/run.yaml"]);
    const gated = {
      ...mixed,
      evaluation: [],
      gate: {},
      clients: [{ ...ships, private: "s3://ships/private.jsonl", validation: "held-out.jsonl" }, mixed.clients[1]],
    };
    await expect(plan(cloud, gated)).rejects.toMatchObject(
      refused("LOCAL_FILES_REFUSED", /^client ships: validation: held-out\.jsonl: expected s3:/),
    );
    const atSite = { ...mixed, clients: [{ ...mixed.clients[0], compute: "worker" as const }, mixed.clients[1]] };
    await expect(plan(cloud, atSite)).resolves.toMatchObject({ taken: null });
  });

  it("leaves the run's name free where it fails, so that the mended spec can have it", async () => {
    const models = spec.server.model;
    await expect(
      plan(run, { ...spec, server: { ...spec.server, model: join(folder, "nowhere") } }),
    ).rejects.toMatchObject(refused("FILE_MISSING", /^server: /));
    expect(await run.objects.list("control", "runs/tiny/")).toEqual(["runs/tiny/run.yaml"]);
    await expect(plan(run, { ...spec, server: { ...spec.server, model: models } })).resolves.toBeDefined();
  });

  it("names what changed where a run is taken up again on other inputs", async () => {
    await plan(run, spec);
    writeFileSync(join(folder, "data/public.jsonl"), text("the ship", "the ward"));
    writeTinyModel(
      join(folder, "models/wards"),
      characterTokenizerJson("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,") as never,
      99,
    );
    await expect(plan(run, spec)).rejects.toMatchObject(refused("PLAN_CHANGED", /wards's weights, the public set/));
  });

  it("names a private set that is no longer the one of round 1", async () => {
    await plan(run, spec);
    await clientTrain(run.deps)({ run: "tiny", round: 1, party: "ships" });
    const adapter = await readOutput(
      run.deps,
      artefactKeys.job("tiny", 1, "client-train", "ships"),
      "adapter.safetensors",
    );
    const distilled = artefactKeys.job("tiny", 1, "client-distil", "ships");
    const outputs = new JobOutputs(
      run.deps,
      { run: "tiny", round: 1, stage: "client-distil", party: "ships" },
      distilled,
    );
    await outputs.write("adapter.safetensors", adapter);
    await outputs.commit({});
    writeFileSync(join(folder, "data/ships.jsonl"), text("another set"));
    await expect(clientTrain(run.deps)({ run: "tiny", round: 2, party: "ships" })).rejects.toMatchObject(
      refused("DATASET_CHANGED", /client ships: private: .*round 1/),
    );
  });

  it("refuses weights that are not those it was planned with", async () => {
    await plan(run, spec);
    writeTinyModel(
      join(folder, "models/ships"),
      JSON.parse(readFileSync(join(folder, "models/ships/tokenizer.json"), "utf8")),
      99,
    );
    await expect(clientTrain(run.deps)({ run: "tiny", round: 1, party: "ships" })).rejects.toMatchObject(
      refused("MODEL_CHANGED", /ships: .*safetensors/),
    );
  });

  it("computes another vocabulary map where config.json gives tokens other roles", async () => {
    await plan(run, spec);
    expect(await mapVocabulary(run.deps)({ run: "tiny", source: "ships", target: "server" })).toMatchObject({
      computed: true,
    });
    expect(await mapVocabulary(run.deps)({ run: "tiny", source: "ships", target: "server" })).toMatchObject({
      computed: false,
    });
    const config = join(folder, "models/ships/config.json");
    writeFileSync(
      config,
      JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), eos_token_id: 1, bos_token_id: 2 }),
    );
    await plan(run, { ...spec, name: "swapped" });
    expect(await mapVocabulary(run.deps)({ run: "swapped", source: "ships", target: "server" })).toMatchObject({
      computed: true,
    });
  });

  it("refuses knowledge shards that would be too large before anything trains", async () => {
    writeFileSync(
      join(folder, "data/public.jsonl"),
      text(
        ...Array.from(
          { length: 12_000 },
          (_, index) =>
            `the ship and the ward ${index.toString(26).replace(/[0-9]/g, "q")} ${"abcdefghij"[index % 10].repeat((index / 10) % 12)}`,
        ),
      ),
    );
    await expect(plan(run, { ...spec, samplesPerShard: 65536, distillation: { topK: 4096 } })).rejects.toMatchObject(
      refused("SHARD_TOO_LARGE", /server: shard-00000 .*lower samplesPerShard or distillation\.topK/),
    );
  });

  it.each([
    [1500, /1500 shards.*a round's state of \d+ bytes, over 122880.*raise samplesPerShard/],
    [650, /650 shards.*a history of 20\d\d\d events, over 20000.*raise samplesPerShard/],
  ])("refuses %i shards for two clients: the state machine cannot carry them", async (samples, message) => {
    writeFileSync(
      join(folder, "data/public.jsonl"),
      text(
        ...Array.from(
          { length: samples },
          (_, index) => `the ship ${index.toString(2).replaceAll("0", "a").replaceAll("1", "b")}`,
        ),
      ),
    );
    await expect(plan(run, { ...spec, samplesPerShard: 1 })).rejects.toMatchObject(refused("RUN_TOO_LARGE", message));
  });
});

describe("two attempts at one job", () => {
  it("do not spoil each other's outputs, even where they are not the same bytes: the first manifest counts", async () => {
    const run = stageRun();
    const identity = { run: "tiny", round: 1, stage: "client-train", party: "ships" };
    const bytes = (value: string) => new TextEncoder().encode(value);
    const [first, second] = [
      new JobOutputs(run.deps, identity, "jobs/x"),
      new JobOutputs(run.deps, identity, "jobs/x"),
    ];
    await first.write("adapter.safetensors", bytes("first"));
    await first.commit({});
    await second.write("adapter.safetensors", bytes("second"));
    await second.commit({});
    expect(new TextDecoder().decode(await readOutput(run.deps, "jobs/x", "adapter.safetensors"))).toBe("first");
  });
});
