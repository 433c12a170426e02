import { describe, expect, it } from "@jest/globals";
import { type AlignmentSettings, alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { FateTransfer } from "../../../shared/src/core/alignment/transfer-fate.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { type Distribution, knowledgeOf, type TextOrCompletion } from "../../support/knowledge-of.ts";
import { byteLevelTokenizerJson, openJson, sentencePieceTokenizerJson } from "../../support/tiny-tokenizers.ts";

const text = (answer: string): TextOrCompletion => ({ prompt: "", answer, kind: "text" });

const pieces = ["w", "we", "u", "ut", "uti", "util", "i", "iz", "ize", "t", "th", "the", "d", "dy", "dyn"];
const llama = openJson(sentencePieceTokenizerJson([...pieces.map((piece) => `▁${piece}`), ...pieces]));
const utilize = ["u", "ut", "uti", "util", "utili", "utiliz", "utilize"];
const gpt = openJson(
  byteLevelTokenizerJson(["we", ...[...utilize, "t", "th", "the", "d", "dy", "dyn"].map((piece) => `Ġ${piece}`)]),
);
const idOf = ({ vocabulary }: Tokenizer, string: string) => vocabulary.strings.indexOf(string);
const always =
  (ids: number[], probabilities: number[]): Distribution =>
  () => ({ ids, probabilities });

/** gpt's "the" and "t", wherever it is asked. */
const said = always([idOf(gpt, "Ġthe"), idOf(gpt, "Ġt")], [0.6, 0.3]);

function align(
  settings: Partial<AlignmentSettings>,
  {
    source = gpt,
    target = llama,
    samples = [text("we utilize the dyn")],
    distribution = said,
    rule = "min-edit" as "min-edit" | "product",
    change = (knowledge: Knowledge) => knowledge,
  } = {},
): AlignedKnowledge {
  return alignKnowledge(
    change(knowledgeOf(samples, source, distribution)),
    knowledgeOf(samples, target, always([0], [1])),
    mapVocabulary(source.vocabulary, target.vocabulary, rule),
    { source: source.vocabulary, target: target.vocabulary },
    { alignment: "byte-offset", transfer: "product", learn: "token", temperature: 1, ...settings },
  );
}

/** Position to its entries as strings, and the tail where there is one. */
function rowsOf(aligned: AlignedKnowledge, { vocabulary }: Tokenizer = llama): Record<number, object> {
  const rows: Record<number, object> = {};
  aligned.positions.forEach((position, row) => {
    const entries: Record<string, number> = {};
    for (let entry = aligned.entryOffsets[row]; entry < aligned.entryOffsets[row + 1]; entry++)
      entries[vocabulary.strings[aligned.entries[entry]]!] = Number(aligned.probabilities[entry].toFixed(6));
    rows[position] = aligned.tail[row] < 1e-6 ? entries : { ...entries, tail: Number(aligned.tail[row].toFixed(6)) };
  });
  return rows;
}

// llama: <s> ▁we ▁util ize ▁the ▁dyn | gpt: EOS we Ġutilize Ġthe Ġdyn
const taught = { "▁the": 0.6, "▁t": 0.3, tail: 0.1 };
const renormalised = { "▁the": 0.666667, "▁t": 0.333333 };

describe("transfer “product”", () => {
  it.each(["byte-offset", "dtw", "greedy-dp"] as const)(
    "by %s gives last token to last token, and teaches nothing elsewhere",
    (alignment) => {
      const rows = rowsOf(align({ alignment }));
      // dtw takes “ize” and “the” for one block, and “utilize” and “util” for another, which have not read the same
      const expected = alignment === "dtw" ? { 1: taught, 4: taught } : { 1: taught, 3: taught, 4: taught };
      expect(rows).toEqual(expected);
    },
  );

  it.each(["dtw", "greedy-dp"] as const)("by %s can give to groups", (alignment) => {
    const groups = align({ alignment, learn: "group" }, { rule: "product" });
    const tokens = align({ alignment, learn: "token" }, { rule: "product" });
    expect(groups.positions).toEqual(tokens.positions);
    expect(groups.entries.length).toBeGreaterThan(0);
  });

  it("knownDivergence (FATE-LLM's BOS asymmetry): the first word learns though only one side begins with BOS", () => {
    const first = rowsOf(align({ alignment: "dtw", transfer: "product" }))[1];
    expect(first).toEqual(taught);
    // FATE-LLM's rule, where the target's first token is matched to BOS and the first word
    const fate = new FateTransfer(mapVocabulary(llama.vocabulary, gpt.vocabulary, "min-edit"), {
      source: llama.vocabulary,
      target: gpt.vocabulary,
    });
    const [we] = [idOf(gpt, "we")];
    const [row] = fate.transfer("dtw", [1, idOf(llama, "▁we")], [we], [[0, 1]], () => ({ ids: [0], scores: [0] }));
    expect(row).toEqual({ ids: [we], scores: [1], isLabel: true });
  });

  it("keeps samples apart", () => {
    const samples = [text("we"), text("we utilize the dyn"), text("the")];
    const aligned = align({ alignment: "greedy-dp" }, { samples });
    expect([...aligned.positionOffsets]).toEqual([0, 0, 3, 3]);
  });
});

describe("transfer “paper”", () => {
  it("knownDivergence (FATE-LLM's off-by-one): where nothing is aligned the NEXT token is the label", () => {
    const rows = rowsOf(align({ transfer: "paper", alignment: "greedy-dp" }));
    // before “we”, and within “utilize”
    expect(rows).toEqual({ 0: { "▁we": 1 }, 1: renormalised, 2: { ize: 1 }, 3: renormalised, 4: renormalised });
    const fate = rowsOf(align({ transfer: "fate", alignment: "greedy-dp" }));
    expect(fate[3]).toEqual({ ize: 1 });
  });

  it("knownDivergence (FATE-LLM's greedy_dp): the LAST token of a span learns, from the last token's knowledge", () => {
    const distribution: Distribution = (_, position) => ({
      ids: [idOf(gpt, position === 2 ? "Ġthe" : "Ġt")],
      probabilities: [0.9],
    });
    const paper = rowsOf(align({ transfer: "paper", alignment: "greedy-dp" }, { distribution }));
    expect([paper[2], paper[3]]).toEqual([{ ize: 1 }, { "▁the": 1 }]);
    const fate = rowsOf(align({ transfer: "fate", alignment: "greedy-dp" }, { distribution }));
    expect([fate[2], fate[3]]).toEqual([{ "▁the": 1 }, { ize: 1 }]);
  });

  it("knownDivergence (FATE-LLM drops collisions): mass on one token is summed, then what was kept is divided by its sum", () => {
    // both of gpt's have no equal in llama, and are nearest to one and the same
    const ids = [idOf(gpt, "Ġutili"), idOf(gpt, "Ġthe"), idOf(gpt, "Ġutiliz")];
    const distribution = always(ids, [0.4, 0.3, 0.1]);
    const options = { distribution, rule: "product" as const };
    expect(rowsOf(align({ transfer: "paper" }, options))[1]).toEqual({ "▁util": 0.625, "▁the": 0.375 });
    const dropped = rowsOf(align({ transfer: "fate" }, options))[4];
    expect(dropped).toEqual({ "▁util": 0.571429, "▁the": 0.428571 });
  });

  it("by byte-offset learns where both have read the same, and the label elsewhere", () => {
    expect(rowsOf(align({ transfer: "paper", alignment: "byte-offset" }))).toEqual({
      0: { "▁we": 1 },
      1: renormalised,
      2: { ize: 1 },
      3: renormalised,
      4: renormalised,
    });
  });

  it("by dtw learns at tokens that are mapped on each other, though they have not read the same", () => {
    const map = mapVocabulary(gpt.vocabulary, llama.vocabulary, "product");
    expect(map.targetOfSource[idOf(gpt, "Ġutilize")]).toBe(idOf(llama, "▁util"));
    const rows = rowsOf(align({ transfer: "paper", alignment: "dtw" }, { rule: "product" }));
    expect(rows[2]).toEqual({ "▁the": 0.666667, "▁t": 0.333333 });
    expect(rows[3]).toEqual({ "▁the": 1 });
  });

  it("has no label after the last token, and takes one where the source knows nothing", () => {
    const silent = (knowledge: Knowledge): Knowledge => ({
      ...knowledge,
      positionOffsets: Int32Array.of(0, 1),
      positions: knowledge.positions.slice(0, 1),
      entryOffsets: knowledge.entryOffsets.slice(0, 2),
    });
    expect(rowsOf(align({ transfer: "paper", alignment: "greedy-dp" }, { change: silent }))).toEqual({
      0: { "▁we": 1 },
      1: { "▁util": 1 },
      2: { ize: 1 },
      3: { "▁the": 1 },
      4: { "▁dyn": 1 },
    });
    const samples = [text("we")];
    const target = knowledgeOf(samples, llama, always([0], [1]));
    const atEnd = { ...target, positions: Int32Array.of(1) };
    const aligned = alignKnowledge(
      knowledgeOf(samples, gpt, said),
      atEnd,
      mapVocabulary(gpt.vocabulary, llama.vocabulary, "min-edit"),
      { source: gpt.vocabulary, target: llama.vocabulary },
      { alignment: "dtw", transfer: "paper", learn: "token", temperature: 1 },
    );
    expect(aligned.positions.length).toBe(0);
    // with a donor it needs no label
    const source = knowledgeOf(samples, gpt, said);
    const both = alignKnowledge(
      { ...source, positions: Int32Array.of(1) },
      atEnd,
      mapVocabulary(gpt.vocabulary, llama.vocabulary, "min-edit"),
      { source: gpt.vocabulary, target: llama.vocabulary },
      { alignment: "byte-offset", transfer: "paper", learn: "token", temperature: 1 },
    );
    expect(rowsOf(both)).toEqual({ 1: renormalised });
  });
});

describe("transfer “fate”", () => {
  it("by dtw gives where one token is the other or is mapped on it, and the token itself elsewhere", () => {
    const rows = rowsOf(align({ transfer: "fate", alignment: "dtw" }));
    // gpt's “we” has no mark, and is the text's first word only where no BOS precedes it
    expect(rows[1]).toEqual({ "▁we": 1 });
    expect(rows[3]).toEqual({ ize: 1 });
    expect(rows[4]).toEqual(renormalised);
  });

  it("by byte-offset takes what is unpaired for unaligned", () => {
    const rows = rowsOf(align({ transfer: "fate", alignment: "byte-offset" }));
    expect(rows[2]).toEqual({ "▁util": 1 });
    expect(rows[4]).toEqual(renormalised);
  });

  it("tempers the softmax over the entries it keeps", () => {
    const rows = rowsOf(align({ transfer: "fate", alignment: "dtw", temperature: 2 }));
    const [a, b] = [Math.sqrt(0.6), Math.sqrt(0.3)];
    expect(rows[4]).toEqual({ "▁the": Number((a / (a + b)).toFixed(6)), "▁t": Number((b / (a + b)).toFixed(6)) });
  });

  it("knownDivergence (FATE-LLM stops at a top-K id beyond its tokenizer): the id is passed over", () => {
    const beyond = gpt.vocabulary.strings.length + 3;
    const distribution = always([beyond, idOf(gpt, "Ġthe")], [0.5, 0.25]);
    for (const transfer of ["fate", "paper"] as const)
      expect(rowsOf(align({ transfer, alignment: "dtw" }, { distribution }))[4]).toEqual({ "▁the": 1 });
    expect(rowsOf(align({ alignment: "dtw" }, { distribution }))[4]).toEqual({ "▁the": 0.25, tail: 0.75 });
  });

  it("leaves a position out whose donor's knowledge is empty here or was never given", () => {
    const beyond = gpt.vocabulary.strings.length + 3;
    const aligned = align({ transfer: "fate", alignment: "dtw" }, { distribution: always([beyond], [0.5]) });
    expect([...aligned.positions]).not.toContain(4);
    expect(aligned.statistics.alignedPositions).toBeGreaterThan(0);
    const silent = (knowledge: Knowledge): Knowledge => ({
      ...knowledge,
      positionOffsets: Int32Array.of(0, 1),
      positions: knowledge.positions.slice(0, 1),
      entryOffsets: knowledge.entryOffsets.slice(0, 2),
    });
    for (const alignment of ["dtw", "greedy-dp"] as const) {
      const rows = rowsOf(align({ transfer: "fate", alignment }, { change: silent }));
      expect(rows[4]).toBeUndefined();
      expect(rows[3]).toEqual({ ize: 1 });
    }
  });

  it("means over a span only what is known of it", () => {
    const samples = [text("we utilize the dyn")];
    // now llama is the source: of “util” “ize” the second alone is known
    const ids = [idOf(llama, "▁the"), idOf(llama, "▁t")];
    const source = knowledgeOf(samples, llama, always(ids, [0.6, 0.3]));
    const known = { ...source, positionOffsets: Int32Array.of(0, 1), positions: Int32Array.of(3) };
    const aligned = alignKnowledge(
      known,
      knowledgeOf(samples, gpt, always([0], [1])),
      mapVocabulary(llama.vocabulary, gpt.vocabulary, "min-edit"),
      { source: llama.vocabulary, target: gpt.vocabulary },
      { alignment: "greedy-dp", transfer: "fate", learn: "token", temperature: 1 },
    );
    expect(rowsOf(aligned, gpt)).toEqual({
      0: { "<|endoftext|>": 1 },
      2: { Ġthe: 0.666667, Ġt: 0.333333 },
    });
  });

  it("means over a span count only the positions that have an entry, in the order in which entries are first met", () => {
    const fate = new FateTransfer(mapVocabulary(gpt.vocabulary, gpt.vocabulary, "product"), {
      source: gpt.vocabulary,
      target: gpt.vocabulary,
    });
    const scores = [
      { ids: [5, 6], scores: [3, 1] },
      { ids: [6, 7], scores: [2, 0.5] },
    ];
    const [row] = fate.transfer("greedy-dp", [1, 2], [3], [[0, 1]], (token) => scores[token]);
    expect(row).toEqual({ ids: [5, 6, 7], scores: [3, 1.5, 0.5], isLabel: false });
    expect(fate.transfer("greedy-dp", [1, 2], [3], [[0, 1]], () => null)).toEqual([null]);
  });

  it("puts the target's mark before GPT-2's first token, which has none, and asks the map for that", () => {
    const strings = ["Ġwe", "we", "x", null];
    const targets = ["▁we", "▁us"];
    const mapped = (targetOfSource: number[]): VocabularyMap => ({
      rule: "reference",
      targetOfSource: Int32Array.from(targetOfSource),
      kind: new Uint8Array(3),
      distance: new Int32Array(3),
      groupOfTarget: new Int32Array(2),
      groups: 1,
      groupOfSource: new Int32Array(3),
    });
    const learned = (map: VocabularyMap, source: number, target: number, source0: (string | null)[] = strings) => {
      const fate = new FateTransfer(map, { source: { strings: source0 }, target: { strings: targets } });
      const ofText = () =>
        fate.transfer("dtw", [source, source], [target, target], [[0], [1]], () => ({ ids: [0], scores: [2] }));
      const first = ofText();
      expect(ofText()).toEqual(first);
      return first;
    };
    const own = { ids: [0], scores: [2], isLabel: false };
    const label = (id: number) => ({ ids: [id], scores: [1], isLabel: true });
    // “we” is “▁we” at the text's beginning only
    expect(learned(mapped([0, 1, 1]), 1, 0)).toEqual([own, label(0)]);
    // “▁we” is mapped on “▁us”, so “we” is too; elsewhere “we” is mapped on “▁us” itself or not
    expect(learned(mapped([1, 0, 0]), 1, 1)).toEqual([{ ...own, ids: [1] }, label(1)]);
    // the marked string is no source token
    expect(learned(mapped([0, 0, 1]), 2, 1)[0]).toEqual(label(1));
    // a tokenizer of the other kind gets no mark
    expect(learned(mapped([0, 1, 1]), 1, 0, ["▁we", "we", "x"])[0]).toEqual(label(0));
  });

  it("refuses shards of other samples", () => {
    const other = (knowledge: Knowledge) => ({ ...knowledge, sampleIds: new Uint8Array(16).fill(9) });
    for (const transfer of ["fate", "paper", "product"] as const)
      expect(() => align({ transfer, alignment: "dtw" }, { change: other })).toThrow(
        expect.objectContaining({ code: "SAMPLES_DIFFER" }),
      );
  });

  it.each(["paper", "fate"] as const)("%s knows no groups", (transfer) => {
    expect(() => align({ transfer, learn: "group" })).toThrow(
      expect.objectContaining({ code: "GROUPS_NOT_TRANSFERRED", name: "InvariantError" }),
    );
  });
});
