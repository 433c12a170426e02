import { describe, expect, it } from "@jest/globals";
import { matchPositions } from "../../../shared/src/core/alignment/match-positions.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import type { AlignedKnowledge } from "../../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { alignByByteOffset } from "../../support/align-by-byte-offset.ts";
import { type Distribution, knowledgeOf, type TextOrCompletion } from "../../support/knowledge-of.ts";
import {
  byteLevelTokenizerJson,
  characters,
  openJson,
  sentencePieceTokenizerJson,
} from "../../support/tiny-tokenizers.ts";

const text = (answer: string): TextOrCompletion => ({ prompt: "", answer, kind: "text" });
const completion = (prompt: string, answer: string): TextOrCompletion => ({ prompt, answer, kind: "completion" });

/** LLaMA's kind and GPT-2's kind, with the paper's example in their vocabularies. */
const pieces = ["w", "we", "u", "ut", "uti", "util", "i", "iz", "ize", "t", "th", "the", "d", "dy", "dyn"];
const llama = openJson(sentencePieceTokenizerJson([...pieces.map((piece) => `▁${piece}`), ...pieces]));
const utilize = ["u", "ut", "uti", "util", "utili", "utiliz", "utilize"];
const gpt = openJson(
  byteLevelTokenizerJson(["we", ...[...utilize, "t", "th", "the", "d", "dy", "dyn"].map((piece) => `Ġ${piece}`)]),
);

const idOf = (tokenizer: Tokenizer, token: string) =>
  tokenizer.vocabulary.tokens.findIndex(
    (bytes, id) =>
      bytes !== null && !tokenizer.vocabulary.unwritten?.has(id) && Buffer.from(bytes).toString() === token,
  );
const certain =
  (id: number): Distribution =>
  () => ({ ids: [id], probabilities: [1] });

function pairs(source: Tokenizer, target: Tokenizer, samples: TextOrCompletion[]): [number, number][] {
  const from = knowledgeOf(samples, source, certain(0));
  const to = knowledgeOf(samples, target, certain(0));
  const { source: left, target: right } = matchPositions(from, to);
  return [...left].map((position, index) => [from.positions[position], to.positions[right[index]]]);
}

/** One side's positions: the ends of each sample's tokens, and at which of them it learns; default: all but the last. */
function sideOf(ends: number[][], positions = ends.map((one) => [...one.keys()].slice(0, -1))) {
  const offsets = (parts: number[][]) =>
    Int32Array.from([0, ...parts.map((_, last) => parts.slice(0, last + 1).flat().length)]);
  return {
    sampleIds: Uint8Array.from({ length: 16 * ends.length }, (_, byte) => byte >> 4),
    tokenOffsets: offsets(ends),
    tokenEnds: Int32Array.from(ends.flat()),
    positionOffsets: offsets(positions),
    positions: Int32Array.from(positions.flat()),
  };
}

describe("positions are paired where both have read the same bytes", () => {
  it("knownDivergence (FATE-LLM's DTW): “util” + “ize” is “utilize”, and “the” is “the”", () => {
    const sample = [text("we utilize the dyn")];
    // ▁we ▁util ize ▁the ▁dyn, BOS before them | we Ġutilize Ġthe Ġdyn, EOS as BOS before them
    expect(knowledgeOf(sample, llama, certain(0)).tokenIds.length).toBe(6);
    expect(knowledgeOf(sample, gpt, certain(0)).tokenIds.length).toBe(5);
    expect(pairs(llama, gpt, sample)).toEqual([
      [1, 1],
      [3, 2],
      [4, 3],
    ]);
    expect(pairs(gpt, llama, sample)).toEqual([
      [1, 1],
      [2, 3],
      [3, 4],
    ]);
  });

  it("knownDivergence (FATE-LLM's greedy_dp): a split word that opens the text is paired at its last token", () => {
    const sample = [text("dyn w")];
    const half = openJson(byteLevelTokenizerJson(["dy", "Ġw"]));
    expect(pairs(half, llama, sample)).toEqual([[2, 1]]);
  });

  it("knownDivergence (FATE-LLM's one-hot fallback): a place where the texts part differently teaches nothing", () => {
    const samples = [text("we utilize")];
    const from = knowledgeOf(samples, gpt, certain(idOf(gpt, " the")));
    const to = knowledgeOf(samples, llama, certain(0));
    const map = mapVocabulary(gpt.vocabulary, llama.vocabulary, "product");
    // llama: BOS ▁we ▁util ize. Before the added space, and within "utilize", nothing; after "▁we" what gpt says there.
    expect([...alignByByteOffset([from, gpt], [to, llama], map, "token").positions]).toEqual([1]);
  });

  it("takes the added space's token as the start, and nothing for the place before it", () => {
    // characters: BOS −1, "▁" 0, "a" 1, "b" 2 | bytes: EOS 0, "a" 1, "b" 2
    expect(pairs(characters(), openJson(byteLevelTokenizerJson([])), [text("ab")])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(pairs(characters(), characters(), [text("ab")])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
  });

  it("pairs the end of a completion, where EOS follows, and not that of a text", () => {
    const bytes = openJson(byteLevelTokenizerJson([]));
    expect(pairs(characters(), bytes, [completion("a", "b")])).toEqual([
      [2, 1],
      [3, 2],
    ]);
    expect(pairs(characters(), bytes, [text("ab")]).length).toBe(2);
  });

  it("leaves out a place where only one side answers", () => {
    const bytes = openJson(byteLevelTokenizerJson([]));
    const joined = openJson(byteLevelTokenizerJson(["ab", "bc"]));
    // joined writes x ab c: at byte 1 it answers, since "ab" spans the seam, and bytes do not; at byte 2 it has no position
    expect(pairs(bytes, joined, [completion("xa", "bc")])).toEqual([
      [3, 2],
      [4, 3],
    ]);
  });

  it("uses the last of several positions that end at one byte", () => {
    const matched = matchPositions(sideOf([[0, 0, 1, 2, 2, 2]]), sideOf([[0, 1, 1, 2, 2]]));
    expect([...matched.source]).toEqual([1, 2, 4]);
    expect([...matched.target]).toEqual([0, 2, 3]);
  });

  it("keeps samples apart", () => {
    const samples = [text("ab"), text("a b"), text("b")];
    const from = knowledgeOf(samples, characters(), certain(0));
    const matched = matchPositions(from, knowledgeOf(samples, openJson(byteLevelTokenizerJson([])), certain(0)));
    expect([...matched.offsets]).toEqual([0, 2, 5, 6]);
  });

  it("takes no position of the next sample for one of this", () => {
    const two = sideOf(
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
      [[0, 1], [1]],
    );
    expect([...matchPositions(two, two).offsets]).toEqual([0, 2, 3]);
    // the target has a position at byte 2, where the source has none left; the next sample's tokens have the same numbers
    for (const next of [
      [1, 2],
      [2, 3],
    ]) {
      const follows = [0, 1, 2, 3, 4];
      const source = sideOf([[0, 1, 2], follows], [[0, 1], next]);
      const target = sideOf([[0, 1, 2, 2], follows], [[0, 1, 2], next]);
      const matched = matchPositions(source, target);
      expect([...matched.source]).toEqual([0, 1, 2, 3]);
      expect([...matched.target]).toEqual([0, 1, 3, 4]);
    }
  });

  it("refuses shards of other samples, or of other texts under the same id", () => {
    const known = (answer: string) => knowledgeOf([text(answer)], characters(), certain(0));
    const other = { ...known("ab"), sampleIds: new Uint8Array(16).fill(9) };
    expect(() => matchPositions(known("ab"), other)).toThrow(
      expect.objectContaining({
        code: "SAMPLES_DIFFER",
        message: expect.stringMatching(/sample 0: .*(09){16}.*(01){16}/),
      }),
    );
    expect(() => matchPositions(known("abc"), known("ab"))).toThrow(
      expect.objectContaining({
        code: "SAMPLES_DIFFER",
        message: expect.stringMatching(/^sample (01){16}: .* end at byte 2.* got 3$/),
      }),
    );
    expect(() => matchPositions(known("ab"), { ...known("ab"), sampleIds: new Uint8Array(32) })).toThrow(
      expect.objectContaining({
        code: "SAMPLES_DIFFER",
        message: "expected the target's 2 samples, got 1 of the source",
      }),
    );
  });

  it("names the sample that differs, also where it is not the first", () => {
    const two = sideOf([
      [0, 1],
      [0, 1],
    ]);
    const others = { ...two, sampleIds: two.sampleIds.map((byte, at) => (at < 16 ? byte : 9)) };
    expect(() => matchPositions(two, others)).toThrow(
      `sample 1: expected the target's ${"09".repeat(16)}, got the source's ${"01".repeat(16)}`,
    );
  });
});

describe("what is carried over", () => {
  const target = openJson(byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe"]));
  const align = (
    ids: number[],
    probabilities: number[],
    learn: "group" | "token",
    { temperature = 1, rule = "product" as "product" | "min-edit", source = llama } = {},
  ): AlignedKnowledge => {
    const samples = [text("w t")];
    const from = knowledgeOf(samples, source, () => ({ ids, probabilities }));
    const map = mapVocabulary(source.vocabulary, target.vocabulary, rule);
    const to = knowledgeOf(samples, target, certain(0));
    return alignByByteOffset([from, source], [to, target], map, learn, temperature);
  };
  const entriesOf = ({ entries, probabilities, entryOffsets, tail }: AlignedKnowledge) => ({
    entries: [...entries.subarray(0, entryOffsets[1])],
    probabilities: [...probabilities.subarray(0, entryOffsets[1])].map((value) => Math.round(value * 1e6) / 1e6),
    tail: Math.round(tail[0] * 1e6) / 1e6,
  });

  it("knownDivergence (FATE-LLM drops collisions and renormalises): mass on one token is summed, the tail is kept", () => {
    const ids = [idOf(llama, " u"), idOf(llama, " ut"), idOf(llama, " the")];
    const space = idOf(target, " ");
    expect(entriesOf(align(ids, [0.4, 0.2, 0.1], "token"))).toEqual({
      entries: [space, idOf(target, " the")].sort((a, b) => a - b),
      probabilities: [0.6, 0.1],
      tail: 0.3,
    });
  });

  it("is EOS for EOS", () => {
    const eos = llama.vocabulary.roles.eos!;
    const aligned = align([eos], [0.7], "token");
    expect(entriesOf(aligned)).toEqual({ entries: [target.vocabulary.roles.eos], probabilities: [0.7], tail: 0.3 });
    expect(aligned.statistics.exactMass / aligned.statistics.alignedPositions).toBeCloseTo(0.7, 6);
  });

  it("is the mass of a group where groups are learned", () => {
    const map = mapVocabulary(llama.vocabulary, target.vocabulary, "product");
    const ids = [idOf(llama, " th"), idOf(llama, " the")];
    expect(entriesOf(align(ids, [0.5, 0.25], "group"))).toEqual({
      entries: [...new Set(ids.map((id) => map.groupOfSource[id]))].sort((a, b) => a - b),
      probabilities: [0.5, 0.25],
      tail: 0.25,
    });
  });

  it("leaves what maps nowhere in the tail, and counts it", () => {
    const aligned = align([idOf(llama, "w"), llama.vocabulary.tokens.length + 5, 0], [0.5, 0.2, 0.1], "token");
    expect(entriesOf(aligned)).toEqual({ entries: [idOf(target, "w")], probabilities: [0.5], tail: 0.5 });
    expect(aligned.statistics.unmappedMass / aligned.statistics.alignedPositions).toBeCloseTo(0.3, 6);
  });

  it("leaves out a position about which nothing could be said, but counts it as aligned", () => {
    const aligned = align([0], [0.9], "token");
    expect(aligned.positions.length).toBe(0);
    expect([...aligned.positionOffsets]).toEqual([0, 0]);
    expect(aligned.statistics).toMatchObject({ targetPositions: 2, alignedPositions: 1, keptMass: 0, exactMass: 0 });
  });

  it("puts mass too small to teach into the tail", () => {
    expect(entriesOf(align([idOf(llama, "w"), idOf(llama, "i")], [0.9, 1e-13], "token")).entries).toEqual([
      idOf(target, "w"),
    ]);
  });

  it("is tempered over the kept tokens and the tail as one", () => {
    const ids = [idOf(llama, "i"), idOf(llama, "w")];
    const [a, b, c] = [0.64, 0.32, 0.04].map(Math.sqrt);
    const { probabilities, tail } = align(ids, [0.64, 0.32], "token", { temperature: 2 });
    expect(probabilities[0]).toBeCloseTo(a / (a + b + c), 6);
    expect(probabilities[1]).toBeCloseTo(b / (a + b + c), 6);
    expect(tail[0]).toBeCloseTo(c / (a + b + c), 6);
  });
});
