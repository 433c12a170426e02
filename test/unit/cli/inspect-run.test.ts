import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readSpecFile } from "../../../cli/src/read-spec-file.ts";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { controlKeys, outputKey } from "../../../shared/src/contracts/keys.ts";
import { writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { adapterConfig } from "../../../shared/src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { planRun } from "../../../shared/src/use-cases/plan-run.ts";
import { callCli, makeToyFolder, remove, write } from "../../support/cli.ts";

const QUICKSTART = fileURLToPath(new URL("../../../examples/quickstart/", import.meta.url));
const HASH = "cd".repeat(32);
const RUN = "runs/quickstart";
const JOB = "runs/quickstart/parties/ward/round-1/client-train";

/** One token "A" of ward's vocabulary, learned after its opening token. */
function makeShard(token: number, shard: number): Uint8Array {
  const header = { run: "quickstart", round: 1, party: "ward", shard, modelHash: HASH, tokenizerHash: HASH };
  return writeKnowledgeShard(
    {
      sampleIds: new Uint8Array(16).fill(7),
      lossNats: Float64Array.of(Math.log(2)),
      answerBytes: Int32Array.of(1),
      answerPositions: Int32Array.of(1),
      tokenOffsets: Int32Array.of(0, 2),
      tokenIds: Int32Array.of(0, token),
      tokenEnds: Int32Array.of(0, 1),
      positionOffsets: Int32Array.of(0, 1),
      positions: Int32Array.of(0),
      entryOffsets: Int32Array.of(0, 1),
      topIds: Int32Array.of(token),
      topLogProbs: Float32Array.of(Math.log(0.5)),
      tailMass: Float32Array.of(0.5),
    },
    { ...header, datasetHash: HASH, vocabularySize: 640, topK: 1, topP: 1 },
  );
}

describe("fedmkt inspect of a run's folder", () => {
  let folder: string;
  const put = (bucket: string, key: string, bytes: Uint8Array) => {
    const file = `${RUN}/aws/objects/buckets/${bucket}/objects/${key}`;
    write(folder, `${file}.data`, bytes);
    write(folder, `${file}.meta.json`, JSON.stringify({ key }));
  };

  beforeEach(async () => {
    folder = makeToyFolder();
    const objects = new MemoryObjectStore();
    const { yaml, hash } = readSpecFile("run.yaml", { cwd: QUICKSTART, env: {} }, { mayReadS3: false });
    const buckets = { control: "control", artefacts: "artefacts", registry: "registry" };
    const key = controlKeys.spec("quickstart");
    await objects.put(buckets.control, key, yaml);
    const executions = { standing: async () => "ended" as const };
    const deps = {
      objects,
      buckets,
      material: new FileMaterial(),
      openTokenizer,
      openTemplate,
      progress: () => {},
      executions,
      readsLocalFiles: true,
    };
    await planRun(deps)({ bucket: buckets.control, key, execution: "execution" });
    const state = { version: 1, run: "quickstart", specHash: hash, status: "SUCCEEDED", process: null, error: null };
    write(folder, `${RUN}/run.json`, encodeJson({ ...state, cause: null, wallTimeMs: 1, peakMemoryBytes: null }));
    const plan = controlKeys.plan("quickstart");
    put("control", plan, await objects.get(buckets.control, plan, 2 ** 20));

    const ward = openTokenizer(
      readFileSync(join(QUICKSTART, "models/ward/tokenizer.json")),
      readFileSync(join(QUICKSTART, "models/ward/config.json")),
      "ward",
    );
    const [token] = ward.encode("A").ids.slice(-1);
    const outputs = [0, 1].map((shard) => ({
      name: `knowledge/shard-0000${shard}.safetensors`,
      bytes: makeShard(token, shard),
    }));
    for (const { name, bytes } of outputs) put("artefacts", outputKey(JOB, name, sha256(bytes)), bytes);
    const listed = outputs.map(({ name, bytes }) => ({ name, bytes: bytes.length, sha256: sha256(bytes) }));
    const identity = { version: 1, run: "quickstart", round: 1, stage: "client-train", party: "ward" };
    put("artefacts", `${JOB}/manifest.json`, encodeJson({ ...identity, outputs: listed, metrics: {}, facts: {} }));
    put("artefacts", `${JOB}/knowledge/shard-00009.0123456789abcdef.safetensors`, new Uint8Array(1));

    const about = { baseModel: "server", lora: { rank: 2, alpha: 16, dropout: 0, targets: ["q_proj"] } };
    const layer = "base_model.model.model.layers.0.self_attn.q_proj";
    const half = (shape: number[]) => ({ dtype: "F32" as const, shape, data: new Float32Array(8) });
    write(folder, `${RUN}/adapters/server/adapter_config.json`, adapterConfig(about));
    write(
      folder,
      `${RUN}/adapters/server/adapter_model.safetensors`,
      writeSafetensors({ [`${layer}.lora_A.weight`]: half([2, 4]), [`${layer}.lora_B.weight`]: half([4, 2]) }, {}),
    );
  });
  afterEach(() => remove(folder));

  it("lists what finished jobs have left, by short names, shards in one line", async () => {
    const { stdout } = await callCli(folder, ["inspect", RUN]);
    expect(stdout.split("\n").slice(0, 4)).toEqual([
      "run quickstart holds:",
      "  plan                 plan",
      "  LoRA adapter (PEFT)  adapters/server",
      "  knowledge shard      ward/round-1/client-train/knowledge/shard-00000 … shard-00001",
    ]);
    const { data } = JSON.parse((await callCli(folder, ["inspect", RUN, "--json"])).stdout);
    expect(data.items.map(({ name }: { name: string }) => name)).toContain("ward/round-1/client-train/manifest");
    expect(JSON.stringify(data)).not.toContain("shard-00009");
  });

  it("opens one of them by its name, with the texts of its tokens", async () => {
    const { stdout } = await callCli(folder, ["inspect", RUN, "ward/round-1/client-train/knowledge/shard-00001"]);
    expect(stdout).toContain("knowledge shard\n  run ");
    expect(stdout).toMatch(/first position's likeliest: \d+ "A" \(50\.0 %\)/);
    expect((await callCli(folder, ["inspect", RUN, "plan"])).stdout).toContain("public samples");
  });

  it("shows an adapter's folder, by its name or as a folder", async () => {
    for (const line of [[RUN, "adapters/server"], [`${RUN}/adapters/server`]]) {
      const { stdout } = await callCli(folder, ["inspect", ...line]);
      expect(stdout).toMatch(/base model +server\n +rank +2\n +alpha +16\n +targets +q_proj\n/);
      expect(stdout).toContain("model.layers.0.self_attn.q_proj: A F32 [2, 4], B [4, 2]");
    }
  });

  it("suggests the name that was meant, and says what it takes", async () => {
    const misspelt = await callCli(folder, ["inspect", RUN, "adapter/server"]);
    expect(misspelt).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("did you mean adapters/server?") });
    expect((await callCli(folder, ["inspect", "models"])).stderr).toContain("expected a run's folder (run.json)");
    expect((await callCli(folder, ["inspect", "run.yaml", "plan"])).stderr).toContain("RUN_MISSING");
  });
});
