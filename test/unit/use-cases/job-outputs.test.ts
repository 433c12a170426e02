import { describe, expect, it } from "@jest/globals";
import { MemoryObjectStore } from "../../../cli/src/validate/memory-object-store.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { outputKey } from "../../../shared/src/contracts/keys.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";

const FOLDER = "runs/toy/parties/ward/round-1/client-train";
const BUCKETS = { control: "control", artefacts: "artefacts", registry: "registry" };
const MIB = 2 ** 20;

/** Notes how much of each object a reader was ready to take. */
class NotingStore extends MemoryObjectStore {
  readonly most = new Map<string, number>();

  override get(bucket: string, key: string, maxBytes: number): Promise<Uint8Array> {
    this.most.set(key, maxBytes);
    return super.get(bucket, key, maxBytes);
  }
}

describe("an output of a job", () => {
  it.each([
    ["knowledge/shard-00000.safetensors", 64 * MIB],
    ["aligned.safetensors", 128 * MIB],
    ["losses.safetensors", 64 * MIB],
    ["adapter.safetensors", 4096 * MIB],
  ])("is refused before it is read where it is longer than such a file may be: %s", async (name, most) => {
    const objects = new NotingStore();
    const bytes = Uint8Array.of(1, 2, 3);
    const key = outputKey(FOLDER, name, sha256(bytes));
    await objects.put(BUCKETS.artefacts, key, bytes);
    const outputs = [{ name, bytes: bytes.length, sha256: sha256(bytes) }];
    const identity = { version: 1, run: "toy", round: 1, stage: "client-train", party: "ward" };
    const manifest = encodeJson({ ...identity, outputs, metrics: {}, facts: {} });
    await objects.put(BUCKETS.artefacts, `${FOLDER}/manifest.json`, manifest);
    expect(await readOutput({ objects, buckets: BUCKETS }, FOLDER, name)).toEqual(bytes);
    expect(objects.most.get(key)).toBe(most);
  });
});
