import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";

const NUMBERS = [0.3, 2.1, -0.7, 1.9, 0.1, 3.3, -1.2, 5.5];
const WHAT = "runs/quickstart/shard-00003.safetensors";
const header = { ...shardHeader, vocabularySize: 40, topK: 9 };
const file = writeKnowledgeShard(makeKnowledge([5, 3, 9], NUMBERS, header), header, "packed");
const { tensors, metadata } = readSafetensors(file.slice(), "test");
const payload = tensors.get("packed")!.data as Uint8Array;

/** A shard with another payload and a hash that fits it, as somebody would send who knows the format. */
function forge(bytes: Uint8Array, changes: Record<string, string> = {}): Uint8Array {
  const { packedHash, ...others } = { ...metadata, ...changes };
  const lines = Object.keys(others)
    .sort()
    .map((key) => `${key}=${others[key]}\n`);
  const hash = createHash("sha256").update(lines.join("")).update(bytes).digest("hex");
  return writeSafetensors(
    { packed: { dtype: "U8", shape: [bytes.length], data: bytes } },
    { ...others, packedHash: hash },
  );
}

/** The payload with one of its counts changed. */
function recount(at: number, count: number): Uint8Array {
  const bytes = payload.slice();
  new DataView(bytes.buffer).setUint32(4 * at, count, true);
  return bytes;
}

function refusal(bytes: Uint8Array): InvalidInputError {
  try {
    readKnowledgeShard(bytes, WHAT, {});
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("expected a refusal");
}

/** One sample of one position, whose answer is among its entries, with a claim about it. */
function claim(claimed: number, logProbs: readonly number[], tail: number): Knowledge {
  const knowledge = makeKnowledge([2], [1, 2, 3], { vocabularySize: 16, topK: logProbs.length });
  knowledge.topLogProbs.set(logProbs);
  knowledge.tailMass[0] = tail;
  knowledge.tokenIds[1] = knowledge.topIds[0];
  knowledge.lossNats[0] = claimed;
  return knowledge;
}

describe("a packed shard", () => {
  it("forged from an honest one without a change is the same", () => {
    expect(forge(payload)).toEqual(file);
  });

  it("is refused with any of its bytes changed, header and all", () => {
    for (let at = 0; at < file.length; at++) {
      const changed = file.slice();
      changed[at] ^= 1 << (at % 8);
      expect(() => readKnowledgeShard(changed, WHAT, {})).toThrow(InvalidInputError);
    }
  });

  it("is refused where it ends early or goes on, though its hash fits", () => {
    const longer = new Uint8Array(payload.length + 1);
    longer.set(payload);
    expect(refusal(forge(longer)).message).toContain("to end with the last position, got 1 too many");
    const shorter = refusal(forge(payload.slice(0, payload.length - 1)));
    expect(shorter.code).toBe("SHARD_INVALID");
    expect(refusal(forge(payload.slice(0, 15))).message).toContain("expected at least 16 packed bytes, got 15");
    expect(refusal(forge(payload.slice(0, 60))).message).toContain("for the ids and losses of 3 samples, got 60");
  });

  it.each([
    ["more tokens", 1, 18],
    ["fewer tokens", 1, 16],
    ["more positions", 2, 15],
    ["fewer positions", 2, 13],
    ["more entries", 3, 14 * 9 + 1],
    ["fewer entries", 3, 14 * 9 - 1],
  ])("that tells of %s than it holds is refused", (_, at, count) => {
    expect(refusal(forge(recount(at, count))).code).toBe("SHARD_INVALID");
  });

  it.each([
    ["samples", 0, 4_000_000],
    ["tokens", 1, 0xffffffff],
    ["positions", 2, 0xffffffff],
    ["entries", 3, 8_500_000],
  ])("that tells of more %s than a plain shard may hold is refused before anything is allocated", (_, at, count) => {
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(forge(recount(at, count))).message).toMatch(/at most 67108864 bytes when unpacked, got \d+/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  it("whose position holds more entries than its header allows is refused", () => {
    expect(refusal(forge(payload, { topK: "8" })).message).toMatch(/sample 0: expected at most 8 entries, got more/);
  });

  it("of any bytes at all with a hash that fits is read or refused, and never anything else", () => {
    const law = fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 200 }),
      fc.integer({ min: 1, max: 3 }),
      fc.nat(60),
      (noise, samples, more) => {
        const bytes = new Uint8Array(16 + 24 * samples + noise.length);
        for (let sample = 0; sample < samples; sample++) bytes[16 + 16 * sample] = sample;
        new Uint32Array(bytes.buffer, 0, 4).set([samples, 2 * samples + more, samples + more, samples + 3 * more]);
        bytes.set(noise, 16 + 24 * samples);
        try {
          readKnowledgeShard(forge(bytes), WHAT, {});
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError);
          expect((error as InvalidInputError).code).toMatch(/^SHARD_/);
        }
      },
    );
    fc.assert(law, { numRuns: 1000, seed: 31 });
  });

  it("with a coded byte changed by somebody who makes the hash fit is read or refused", () => {
    for (let at = 16 + 24 * 3; at < payload.length; at++) {
      const changed = payload.slice();
      changed[at] ^= 0x10;
      try {
        readKnowledgeShard(forge(changed), WHAT, {});
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInputError);
      }
    }
  });

  it("of another encoding than there is, is refused", () => {
    expect(refusal(forge(payload, { encoding: "zipped" })).message).toContain("zipped");
  });

  it("keeps a log-probability of -100 nats to half a nat, and takes deeper ones for the deepest rung", () => {
    const one = { ...shardHeader, topK: 3 };
    const knowledge = claim(0, [0, -100, -1e6], 0);
    const read = readKnowledgeShard(writeKnowledgeShard(knowledge, one, "packed"), WHAT, one).knowledge;
    expect(read.topLogProbs[0]).toBeCloseTo(0, 4);
    expect(Math.abs(read.topLogProbs[1] + 100)).toBeLessThan(0.5);
    expect(Math.abs(read.topLogProbs[2] + 128)).toBeLessThan(0.5);
  });

  it("lets a loss stand that its rounding has moved, and refuses one that no rounding explains", () => {
    const one = { ...shardHeader, topK: 2 };
    const logProbs = [Math.log(0.6), Math.log(0.3)];
    const honest = -Math.fround(logProbs[0]);
    const bytes = writeKnowledgeShard(claim(honest, logProbs, 0.1), one, "packed");
    const { knowledge } = readKnowledgeShard(bytes, WHAT, one);
    expect(knowledge.topLogProbs[0]).not.toBe(-honest);
    expect(knowledge.lossNats[0]).toBe(honest);
    // the gap between rungs at 0.5 nats is 0.034
    for (const lie of [honest - 0.08, honest + 0.08])
      expect(() => writeKnowledgeShard(claim(lie, logProbs, 0.1), one, "packed")).toThrow(/expected a loss of 0\.5/);
  });

  it("refuses a claim that is hidden behind the deepest rung, and lets any greater loss stand there", () => {
    const one = { ...shardHeader, topK: 3 };
    const deep = (claimed: number, answer: number) => {
      const knowledge = claim(claimed, [0, -100, -1e6], 0);
      knowledge.tokenIds[1] = answer < 3 ? knowledge.topIds[answer] : 15;
      return () => writeKnowledgeShard(knowledge, one, "packed");
    };
    expect(deep(1e6, 2)).not.toThrow();
    expect(deep(0, 2)).toThrow(/expected a loss of at least 12[78]\./);
    expect(deep(0, 3)).toThrow(/expected a loss of at least 12[78]\./);
  });

  it("refuses a claim that only a shift explains which no rounding needs", () => {
    const one = { ...shardHeader, topK: 3 };
    // rungs 26, 26 and 27, all moved by nearly half a nat, which nobody has to do to make them sum to 1
    const logProbs = [-1.283935546875, -1.283935546875, -1.32080078125];
    const bytes = (lie: number) => () =>
      writeKnowledgeShard(claim(-logProbs[0] - lie, logProbs, 0.1796875), one, "packed");
    expect(bytes(0)).not.toThrow();
    expect(bytes(0.2)).toThrow(/expected a loss of 1\.28/);
  });

  it("rounds what stands on rungs already where the tail's rounding would leave a sum beside 1", () => {
    const one = { ...shardHeader, topK: 1 };
    for (const depth of [11_472, 24_801, 24_802, 40_000]) {
      const logProb = -depth / 16_384;
      const knowledge = claim(-logProb, [logProb], 1 - Math.exp(logProb));
      const read = readKnowledgeShard(writeKnowledgeShard(knowledge, one, "packed"), WHAT, one).knowledge;
      expect(Math.exp(read.topLogProbs[0]) + read.tailMass[0]).toBeCloseTo(1, 4);
    }
  });

  it("refuses a claim about a token that it cut off where its tail does not allow it", () => {
    const one = { ...shardHeader, topK: 1 };
    const cut = (claimed: number) => {
      const knowledge = claim(claimed, [Math.log(0.9)], 0.1);
      knowledge.tokenIds[1] = (knowledge.topIds[0] + 1) % 16;
      return () => writeKnowledgeShard(knowledge, one, "packed");
    };
    expect(cut(2.4)).not.toThrow();
    expect(cut(9)).not.toThrow();
    expect(cut(2.1)).toThrow(/expected a loss of at least 2\.2/);
  });

  it("refuses to write what it could not give back", () => {
    const knowledge = makeKnowledge([5, 3], NUMBERS, header);
    knowledge.topLogProbs[4] = Number.NaN;
    expect(() => writeKnowledgeShard(knowledge, header, "packed")).toThrow(
      /sample 0, position 0: log-probability is NaN/,
    );
  });

  it("refuses to write more than a plain shard may hold", () => {
    const knowledge = makeKnowledge([2], NUMBERS, header);
    knowledge.topIds = new Int32Array(8_400_000);
    expect(() => writeKnowledgeShard(knowledge, header, "packed")).toThrow(/at most 67108864 bytes when unpacked/);
  });
});
