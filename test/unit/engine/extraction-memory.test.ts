import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "@jest/globals";
import type { EncodedText } from "../../../shared/src/core/alignment/encode-sample.ts";
import type { Sample } from "../../../shared/src/core/samples/sample.ts";
import { extractShards } from "../../../shared/src/use-cases/extract-shards.ts";
import { TOY_CONFIG, toySamples, withModel } from "./toy-model.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const TURN_MS = 5;

/** Counts how many of the things that it was shown are still held by anybody. */
function createWatch() {
  const shown: WeakRef<object>[] = [];
  const held: number[] = [];
  return {
    held,
    show: (thing: object) => shown.push(new WeakRef(thing)),
    /** What is looked at in a turn of the event loop is not collected in it, and a busy machine takes its time: more turns may be needed. */
    async count(expected: number) {
      let least = shown.length;
      for (let turn = 0; turn < 5 && least > expected; turn++) {
        await setTimeout(turn * TURN_MS);
        collectGarbage();
        least = shown.filter((one) => one.deref()).length;
      }
      held.push(least);
    },
  };
}

it("an extraction holds the knowledge of a window of samples, however many there are", async () => {
  const samples = toySamples(...Array.from({ length: 640 }, (_, index) => 4 + (index % 12)));
  await withModel({}, async (model) => {
    const watch = createWatch();
    let given = 0;
    for await (const known of model.extract(samples, 4, 4)) {
      watch.show(known);
      if (++given % 100 === 0) await watch.count(64);
    }
    expect(given).toBe(640);
    expect(watch.held).toHaveLength(6);
    expect(Math.max(...watch.held)).toBeLessThanOrEqual(64);
  });
});

it("extraction into shards holds the samples and the bytes of one shard, however many there are", async () => {
  const samples = Array.from(
    { length: 60 }, // each look collects all garbage of a process that has run other tests before: seconds, by then
    (_, index): Sample => ({
      id: Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? index : at)),
      prompt: "",
      answer: "words",
      kind: "text",
      line: index + 1,
    }),
  );
  await withModel({}, async (model) => {
    const encoded = createWatch();
    const written = createWatch();
    const encode = (sample: Sample): EncodedText => {
      const [text] = toySamples(4 + (sample.line % 12));
      const ends = Int32Array.from(text.ids, (_, token) => token);
      encoded.show(text.ids);
      return { ...text, ends, answerBytes: ends.at(-1)! };
    };
    const hash = "0".repeat(64);
    await extractShards({ model, tokenizer: null as never, encode, encodeScored: encode }, samples, {
      samplesPerShard: 10,
      topK: TOY_CONFIG.vocab_size,
      topP: 1,
      encoding: "packed",
      batchSize: 4,
      positions: "answer",
      header: { run: "toy", round: 1, party: "toy", modelHash: hash, tokenizerHash: hash, datasetHash: hash },
      async write(_shard, bytes) {
        await encoded.count(2 * 10);
        await written.count(1);
        written.show(bytes);
      },
    });
    expect(encoded.held).toHaveLength(6);
    expect(Math.max(...encoded.held)).toBeLessThanOrEqual(2 * 10);
    expect(Math.max(...written.held)).toBeLessThanOrEqual(1);
  });
});
