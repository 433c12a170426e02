import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import {
  readKnowledgeShard,
  type ShardHeader,
  writeKnowledgeShard,
} from "../../../shared/src/formats/knowledge-shard.ts";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";

const NUMBERS = [0.3, 2.1, -0.7, 1.9, 0.1, 3.3, -1.2];
const file = writeKnowledgeShard(makeKnowledge([5, 3, 4], NUMBERS), shardHeader);
const WHAT = "runs/quickstart/shard-00003.safetensors";

/** The good shard with one thing changed behind the writer's back. */
function spoil(change: (knowledge: Knowledge) => void, metadata: Record<string, string> = {}): Uint8Array {
  const copy = readSafetensors(file.slice(), "test");
  const arrays = Object.fromEntries([...copy.tensors].map(([name, { data }]) => [name, data]));
  change(arrays as unknown as Knowledge);
  return writeSafetensors(Object.fromEntries(copy.tensors), { ...copy.metadata, ...metadata });
}

function refusal(bytes: Uint8Array, expected: Partial<ShardHeader> = {}): InvalidInputError {
  try {
    readKnowledgeShard(bytes, WHAT, expected);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("expected a refusal");
}

describe("a knowledge shard", () => {
  it("comes back as it was written, header and all", () => {
    const knowledge = makeKnowledge([5, 3, 4], NUMBERS);
    const read = readKnowledgeShard(writeKnowledgeShard(knowledge, shardHeader), WHAT, shardHeader);
    expect(read.knowledge).toEqual(knowledge);
    expect(read.header).toEqual(shardHeader);
  });

  it.each(["plain", "packed"] as const)("says by what entropy it was cut, where it was: %s", (encoding) => {
    const knowledge = makeKnowledge([5, 3, 4], NUMBERS);
    const cut = writeKnowledgeShard(knowledge, { ...shardHeader, topPerplexity: 1.5 }, encoding);
    expect(readKnowledgeShard(cut, WHAT, { topPerplexity: 1.5 }).header).toEqual({
      ...shardHeader,
      topPerplexity: 1.5,
    });
    expect(readSafetensors(cut, WHAT).metadata).toMatchObject({ topPerplexity: "1.5" });
    expect(refusal(cut, { topPerplexity: 2 }).message).toContain("expected topPerplexity 2, got 1.5");
    const whole = writeKnowledgeShard(knowledge, shardHeader, encoding);
    expect(Object.keys(readSafetensors(whole, WHAT).metadata)).not.toContain("topPerplexity");
  });

  it("of another tokenizer is refused with both hashes named", () => {
    const error = refusal(file, { party: "harbour", tokenizerHash: "a".repeat(64) });
    expect(error.code).toBe("SHARD_MISMATCH");
    expect(error.message).toBe(
      `${WHAT}: client harbour, shard-00003: expected tokenizerHash ${"a".repeat(64)}, got ${"2".repeat(64)}`,
    );
  });

  it.each([
    ["run", "other"],
    ["party", "server"],
    ["round", 2],
    ["shard", 4],
    ["datasetHash", "b".repeat(64)],
    ["modelHash", "c".repeat(64)],
    ["vocabularySize", 17],
    ["topK", 5],
  ] as const)("of another %s is refused", (field, value) => {
    expect(refusal(file, { [field]: value }).message).toContain(
      `expected ${field} ${value}, got ${shardHeader[field]}`,
    );
  });

  it("with a NaN is refused by party, shard, sample and position", () => {
    const error = refusal(spoil(({ topLogProbs }) => topLogProbs.fill(Number.NaN, 20, 21)));
    expect(error.code).toBe("SHARD_INVALID");
    expect(error.message).toBe(`${WHAT}: client harbour, shard-00003: sample 1, position 1: log-probability is NaN`);
  });

  it.each<[string, (knowledge: Knowledge) => void, string]>([
    [
      "infinite log-probabilities",
      (k) => k.topLogProbs.fill(-Infinity, 3, 4),
      "sample 0, position 0: log-probability is -Infinity",
    ],
    [
      "log-probabilities above 0",
      (k) => k.topLogProbs.fill(0.01, 0, 1),
      "sample 0, position 0: expected log-probabilities of at most 0",
    ],
    [
      "log-probabilities that rise",
      (k) => k.topLogProbs.fill(-9, 4, 5),
      "sample 0, position 1: expected log-probabilities to descend",
    ],
    ["a token twice in one position", (k) => k.topIds.copyWithin(9, 8, 9), "sample 0, position 2: token"],
    [
      "top-K ids beyond the vocabulary",
      (k) => k.topIds.fill(16, 2, 3),
      "sample 0, position 0: expected top-K ids from 0 to 15, got 16",
    ],
    ["negative top-K ids", (k) => k.topIds.fill(-1, 2, 3), "got -1"],
    ["a tail below 0", (k) => k.tailMass.fill(-0.001, 0, 1), "sample 0, position 0: expected a tail mass from 0 to 1"],
    [
      "a tail that is NaN",
      (k) => k.tailMass.fill(Number.NaN, 4, 5),
      "sample 1, position 0: expected a tail mass from 0 to 1, got NaN",
    ],
    [
      "a sum that is not 1",
      (k) => k.tailMass.fill(1, 0, 1),
      "sample 0, position 0: expected top-K and tail to sum to 1",
    ],
    ["a loss that is not finite", (k) => k.lossNats.fill(Infinity, 2), "sample 2: expected a finite loss"],
    ["a negative loss", (k) => k.lossNats.fill(-1, 2), "sample 2: expected a finite loss ≥ 0 nats, got -1"],
    ["an answer of no bytes", (k) => k.answerBytes.fill(0, 1, 2), "sample 1: expected answer bytes > 0, got 0"],
    [
      "a token beyond the vocabulary",
      (k) => k.tokenIds.fill(99, 6, 7),
      "sample 1, token 1: expected an id from 0 to 15, got 99",
    ],
    [
      "token ends that fall",
      (k) => k.tokenEnds.fill(0, 3, 4),
      "sample 0, token 3: expected its text to end at 2 or later, got 0",
    ],
    ["a token end below −1", (k) => k.tokenEnds.fill(-2, 0, 1), "sample 0, token 0"],
    [
      "positions that do not ascend",
      (k) => k.positions.fill(0, 1, 2),
      "sample 0, positions[1]: expected more than 0, got 0",
    ],
    [
      "positions outside the sample",
      (k) => k.positions.fill(4, 3, 4),
      "sample 0, positions[3]: expected a token index from 0 to 3, got 4",
    ],
    ["offsets that do not begin at 0", (k) => k.tokenOffsets.fill(1, 0, 1), "tokenOffsets: expected to begin at 0"],
    ["offsets that fall", (k) => k.tokenOffsets.fill(9, 1, 2), "tokenOffsets[2]: expected at least 9, got 8"],
    ["offsets that end elsewhere", (k) => k.positionOffsets.fill(8, 3), "positionOffsets: expected to end at 9, got 8"],
    [
      "a position without entries",
      (k) => k.entryOffsets.fill(4, 2, 3),
      "sample 0, position 1: expected from 1 to 4 entries, got 0",
    ],
    [
      "more answer positions than positions",
      (k) => k.answerPositions.fill(5, 0, 1),
      "sample 0: expected from 1 to 4 answer positions, as there are positions, got 5",
    ],
    [
      "no answer positions",
      (k) => k.answerPositions.fill(0, 1, 2),
      "sample 1: expected from 1 to 2 answer positions, as there are positions, got 0",
    ],
    ["one sample twice", (k) => k.sampleIds.copyWithin(16, 0, 16), "sample 1: has the id of sample 0"],
  ])("with %s is refused", (_, change, message) => {
    const error = refusal(spoil(change));
    expect(error.message).toContain(`client harbour, shard-00003: `);
    expect(error.message).toContain(message);
  });

  it.each([
    ["another format", { format: "fedmkt.other" }, 'expected the format "fedmkt.knowledge"'],
    ["another version", { version: "1" }, 'expected version "2" of fedmkt.knowledge, got "1"'],
    ["a topK that it exceeds", { topK: "3" }, "sample 0, position 0: expected from 1 to 3 entries, got 4"],
    ["a topP beyond 1", { topP: "1.5" }, 'topP: expected a number above 0 and at most 1, got "1.5"'],
    ["a topP that is no number", { topP: "0x1" }, 'topP: expected a number above 0 and at most 1, got "0x1"'],
    ["a topPerplexity of nothing", { topPerplexity: "0" }, 'topPerplexity: expected a number above 0, got "0"'],
    ["an endless topPerplexity", { topPerplexity: "Infinity" }, "topPerplexity: expected a number above 0"],
    [
      "a topPerplexity written otherwise",
      { topPerplexity: "1.50" },
      'topPerplexity: expected a number above 0, got "1.50"',
    ],
    ["an impossible vocabulary", { vocabularySize: "99999999999" }, "vocabularySize: expected a whole number"],
    ["a round that is no number", { round: "1e3" }, 'round: expected a whole number from 0 to 1000000, got "1e3"'],
    ["a party that is a path", { party: "../server" }, "party: expected an identifier"],
    ["a hash that is none", { datasetHash: "abc" }, "datasetHash: expected a SHA-256"],
    ["metadata of its own", { colour: "red" }, 'got "colour"'],
  ])("with %s is refused", (_, metadata, message) => {
    expect(refusal(spoil(() => {}, metadata)).message).toContain(message);
  });

  it("with a tensor missing, one too many or one of another type is refused", () => {
    const { tensors, metadata } = readSafetensors(file, "test");
    const all = Object.fromEntries(tensors);
    const { tailMass, ...rest } = all;
    expect(refusal(writeSafetensors(rest, metadata)).message).toContain(
      "tensor tailMass: expected F32, got no such tensor",
    );
    expect(refusal(writeSafetensors({ ...all, more: tailMass }, metadata)).message).toContain(
      'expected no tensor "more"',
    );
    const wrong = { ...all, tailMass: { dtype: "I32", shape: [9], data: new Int32Array(9) } as const };
    expect(refusal(writeSafetensors(wrong, metadata)).message).toContain("tensor tailMass: expected F32, got I32");
  });

  it("of more than 64 MiB is refused unread", () => {
    expect(refusal(new Uint8Array(64 * 1024 * 1024 + 1)).code).toBe("SHARD_TOO_LARGE");
  });

  it("that is truncated says how many bytes are missing", () => {
    expect(refusal(file.subarray(0, file.length - 9)).message).toMatch(/truncated in tensor .*: 9 missing$/);
  });

  it("is checked when it is written too", () => {
    const knowledge = makeKnowledge([3], NUMBERS);
    knowledge.topLogProbs[0] = Number.NaN;
    expect(() => writeKnowledgeShard(knowledge, { ...shardHeader, party: "server" })).toThrow(
      "writing: server, shard-00003: sample 0, position 0: log-probability is NaN",
    );
  });
});

describe("a claimed loss", () => {
  it("below what the top-K allows is refused as a lie", () => {
    const error = refusal(spoil(({ lossNats }) => lossNats.fill(0.01, 1, 2)));
    expect(error.code).toBe("SHARD_LIE");
    expect(error.message).toMatch(
      /sample 1: expected a loss of (at least )?\d+\.\d{4} nats, as its top-K says, got a claim of 0\.0100$/,
    );
  });

  it("is known exactly where every answer token is kept, and then may not be overstated either", () => {
    const header = { ...shardHeader, topK: shardHeader.vocabularySize };
    const knowledge = makeKnowledge([4], NUMBERS, header);
    knowledge.lossNats[0] += 0.1;
    expect(() => writeKnowledgeShard(knowledge, header)).toThrow(/expected a loss of \d/);
    knowledge.lossNats[0] -= 0.2;
    expect(() => writeKnowledgeShard(knowledge, header)).toThrow(/expected a loss of \d/);
  });

  it("is of the answer alone where the prompt has knowledge too", () => {
    const knowledge = makeKnowledge([5], NUMBERS);
    const answers = { ...knowledge, answerPositions: Int32Array.of(2), answerBytes: Int32Array.of(2) };
    expect(() => writeKnowledgeShard(answers, shardHeader)).not.toThrow();
    answers.lossNats[0] = 0.01;
    expect(() => writeKnowledgeShard(answers, shardHeader)).toThrow(/expected a loss of at least/);
  });

  it("cannot leave answer tokens out", () => {
    const knowledge = makeKnowledge([5], NUMBERS);
    const fewer: Knowledge = {
      ...knowledge,
      answerPositions: Int32Array.of(2),
      positionOffsets: Int32Array.of(0, 2),
      entryOffsets: Int32Array.of(0, 4, 8),
      positions: Int32Array.of(0, 3),
      topIds: knowledge.topIds.slice(0, 8),
      topLogProbs: knowledge.topLogProbs.slice(0, 8),
      tailMass: knowledge.tailMass.slice(0, 2),
    };
    expect(() => writeKnowledgeShard(fewer, shardHeader)).toThrow(
      "sample 0: expected answer positions 2 to 3 without a gap, got 2 from 0",
    );
  });

  it("cannot leave the answer's first tokens out", () => {
    const knowledge = makeKnowledge([5], NUMBERS);
    const fewer: Knowledge = {
      ...knowledge,
      answerPositions: Int32Array.of(2),
      positionOffsets: Int32Array.of(0, 2),
      entryOffsets: Int32Array.of(0, 4, 8),
      positions: Int32Array.of(2, 3),
      topIds: knowledge.topIds.slice(8),
      topLogProbs: knowledge.topLogProbs.slice(8),
      tailMass: knowledge.tailMass.slice(2),
    };
    expect(() => writeKnowledgeShard(fewer, shardHeader)).toThrow(
      "sample 0: expected answer positions over 4 bytes, got 2",
    );
  });
});
