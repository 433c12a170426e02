import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { artefactKeys, outputKey } from "../../../shared/src/contracts/keys.ts";
import {
  readKnowledgeShard,
  type ShardHeader,
  writeKnowledgeShard,
} from "../../../shared/src/formats/knowledge-shard.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { alignShard } from "../../../shared/src/use-cases/align-shard.ts";
import { clientTrain } from "../../../shared/src/use-cases/client-train.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { mapVocabulary } from "../../../shared/src/use-cases/map-vocabulary.ts";
import { serverExtract } from "../../../shared/src/use-cases/server-extract.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan } from "../../support/stage-order.ts";
import { writeTinyFederation } from "../../support/tiny-federation.ts";

const ANY = 1 << 30;
const FOLDER = artefactKeys.job("tiny", 1, "client-train", "ships");
const SHARD = "knowledge/shard-00000.safetensors";

/** A client that sends something else than its knowledge, with a manifest that fits: the shard itself must give it away. */
describe("a bad shard", () => {
  let folder: string;
  let run: StageRun;
  let honest: Uint8Array;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bad-shards-"));
    run = stageRun();
    // plain, so that what a client changes can be pointed at; whoever lies is free to choose
    await plan(run, { ...writeTinyFederation(folder), shardEncoding: "plain", evaluation: [], baselines: [] });
    await clientTrain(run.deps)({ run: "tiny", round: 1, party: "ships" });
    await serverExtract(run.deps)({ run: "tiny", round: 1, party: "server" });
    await mapVocabulary(run.deps)({ run: "tiny", source: "ships", target: "server" });
    honest = await readOutput(run.deps, FOLDER, SHARD);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(() => submit(honest));

  /** Puts a shard in the honest one's place and makes the manifest fit it, as a client that lies on purpose would. */
  async function submit(bytes: Uint8Array): Promise<void> {
    await run.objects.put("artefacts", outputKey(FOLDER, SHARD, sha256(bytes)), bytes);
    const manifest = JSON.parse(
      new TextDecoder().decode(await run.objects.get("artefacts", `${FOLDER}/manifest.json`, ANY)),
    );
    const listed = manifest.outputs.find(({ name }: { name: string }) => name === SHARD);
    Object.assign(listed, { bytes: bytes.length, sha256: sha256(bytes) });
    await run.objects.put("artefacts", `${FOLDER}/manifest.json`, new TextEncoder().encode(JSON.stringify(manifest)));
  }

  function changed(change: (tensors: Record<string, Tensor>, metadata: Record<string, string>) => void): Uint8Array {
    const { tensors, metadata } = readSafetensors(honest.slice(), SHARD);
    const copies = Object.fromEntries(
      [...tensors].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as Tensor]),
    );
    const header = { ...metadata };
    change(copies, header);
    return writeSafetensors(copies, header);
  }

  const align = () => alignShard(run.deps)({ run: "tiny", round: 1, source: "ships", target: "server", shard: 0 });
  const alignedObjects = () => run.objects.list("artefacts", "runs/tiny/round-1/aligned");

  async function expectRefused(code: string, message: RegExp): Promise<void> {
    await expect(align()).rejects.toMatchObject({
      name: "InvalidInputError",
      code,
      message: expect.stringMatching(message),
    });
    expect(await alignedObjects()).toEqual([]);
  }

  it("with a NaN is refused, naming client, shard, sample and position", async () => {
    await submit(changed(({ topLogProbs }) => topLogProbs.data.fill(Number.NaN as never, 20, 21)));
    await expectRefused("SHARD_INVALID", /client ships, shard-00000: .*sample 0.*position.*NaN/);
  });

  it("of another tokenizer is refused, naming both hashes", async () => {
    const { header } = readKnowledgeShard(honest, SHARD, {});
    const other = "f".repeat(64);
    await submit(
      changed((_, metadata) => Object.assign(metadata, { tokenizerHash: other } satisfies Partial<ShardHeader>)),
    );
    await expectRefused(
      "SHARD_MISMATCH",
      new RegExp(
        `ships.*shard-00000.*${header.tokenizerHash}.*${other}|ships.*shard-00000.*${other}.*${header.tokenizerHash}`,
      ),
    );
  });

  it("that claims a smaller loss than its top-K allows is refused: selection would have believed it", async () => {
    await submit(changed(({ lossNats }) => lossNats.data.fill(0.001 as never)));
    await expectRefused("SHARD_LIE", /client ships, shard-00000: sample 0.*loss/);
  });

  it("whose tokens are not those of the public text is refused, however well its losses fit them", async () => {
    await submit(
      changed(({ tokenIds, topIds, topLogProbs, tailMass, lossNats, tokenOffsets, positionOffsets }) => {
        // every answer token "was" the position's likeliest: losses then follow, and all of them are small
        for (let sample = 0; sample < lossNats.data.length; sample++) {
          let nats = 0;
          const first = Number(positionOffsets.data[sample]);
          for (let at = first; at < Number(positionOffsets.data[sample + 1]); at++) {
            const token = Number(tokenOffsets.data[sample]) + (at - first) + 1;
            (tokenIds.data as Int32Array)[token] = Number(topIds.data[at * 16]);
            nats -= Number(topLogProbs.data[at * 16]);
          }
          (lossNats.data as Float64Array)[sample] = nats;
        }
        expect(tailMass.data.length).toBeGreaterThan(0);
      }),
    );
    await expectRefused(
      "SHARD_LIE",
      /ships.*shard-00000.*sample 0: expected the tokens that the party's tokenizer gives/,
    );
  });

  it("of another round is refused: what was said once may not be said again", async () => {
    await submit(changed((_, metadata) => Object.assign(metadata, { round: "2" })));
    await expectRefused("SHARD_MISMATCH", /round/);
  });

  it("whose bytes are not those of its manifest is refused", async () => {
    await run.objects.put("artefacts", outputKey(FOLDER, SHARD, sha256(honest)), honest.slice(0, -4));
    await expectRefused("OUTPUT_CHANGED", /shard-00000\.[0-9a-f]{16}\.safetensors: expected SHA-256/);
  });

  it("with one byte of its packed knowledge changed is refused, and with none of them it is aligned", async () => {
    const { header, knowledge } = readKnowledgeShard(honest, SHARD, {});
    const packed = writeKnowledgeShard(knowledge, header, "packed");
    const spoilt = packed.slice();
    spoilt[spoilt.length - 9] ^= 4;
    await submit(spoilt);
    await expectRefused("SHARD_INVALID", /client ships, shard-00000: .*they were changed/);
    await submit(packed);
    await expect(align()).resolves.toEqual({ manifest: expect.stringContaining("shard-00000/manifest.json") });
  });

  it("is not what an honest one is: that one is aligned", async () => {
    await expect(align()).resolves.toEqual({
      manifest: expect.stringContaining("ships--server/shard-00000/manifest.json"),
    });
  });
});
