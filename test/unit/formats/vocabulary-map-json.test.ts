import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import {
  MAX_MAP_JSON_BYTES,
  type PlainVocabularyMap,
  readVocabularyMapJson,
  writeVocabularyMapJson,
} from "../../../shared/src/formats/vocabulary-map-json.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const valid = {
  rule: "reference",
  source: "a.json",
  target: "b.json",
  entries: [
    [7, 0],
    [-1, 0],
    [3, 2],
  ],
};

describe("a vocabulary map as JSON", () => {
  it("is one line of rule, tokenizers and an entry for every source token", () => {
    const map: PlainVocabularyMap = {
      rule: "product",
      source: "a.json",
      target: "b.json",
      targetOfSource: Int32Array.of(4, -1, 0),
      distance: Int32Array.of(0, 0, 3),
    };
    const bytes = writeVocabularyMapJson(map);
    expect(new TextDecoder().decode(bytes)).toBe(
      '{"rule":"product","source":"a.json","target":"b.json","entries":[[4,0],[-1,0],[0,3]]}\n',
    );
    expect(readVocabularyMapJson(bytes, "map.json")).toEqual(map);
  });

  it("is read whoever wrote it, in whatever order", () => {
    const { entries, ...rest } = valid;
    expect(readVocabularyMapJson(encode({ entries, ...rest }), "map.json")).toMatchObject({
      rule: "reference",
      targetOfSource: Int32Array.of(7, -1, 3),
      distance: Int32Array.of(0, 0, 2),
    });
  });

  it.each<[string, Uint8Array, string]>([
    ["no JSON", new TextEncoder().encode("{"), "map.json: expected JSON in UTF-8"],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "map.json: expected JSON in UTF-8"],
    ["no object", encode([1]), "expected an object of rule, source, target, entries, got a list of 1"],
    ["nothing", encode(null), "expected an object of rule, source, target, entries, got null"],
    ["a key too many", encode({ ...valid, more: 1 }), "expected an object of rule"],
    ["an unknown rule", encode({ ...valid, rule: "best" }), "rule: expected product, min-edit or reference"],
    ["no name", encode({ ...valid, source: 1 }), "source: expected a text of at most 4096 characters, got a number"],
    ["too long a name", encode({ ...valid, target: "x".repeat(4097) }), "target: expected a text of at most 4096"],
    ["no list", encode({ ...valid, entries: {} }), "entries: expected a list of at most 1048576"],
    ["too long a list", encode({ ...valid, entries: new Array((1 << 20) + 1).fill(0) }), "got a list of 1048577"],
    [
      "an entry of one",
      encode({ ...valid, entries: [[0, 0], [1]] }),
      "entries[1]: expected [target id or −1, distance]",
    ],
    ["an entry of three", encode({ ...valid, entries: [[0, 0, 0]] }), "entries[0]: "],
    ["an entry that is none", encode({ ...valid, entries: [3] }), "entries[0]: "],
    ["an id below −1", encode({ ...valid, entries: [[-2, 0]] }), "got [-2,0]"],
    ["an id beyond any vocabulary", encode({ ...valid, entries: [[1 << 20, 0]] }), "entries[0]: "],
    ["half an id", encode({ ...valid, entries: [[0.5, 0]] }), "entries[0]: "],
    ["a negative distance", encode({ ...valid, entries: [[0, -1]] }), "entries[0]: "],
    ["a distance to nowhere", encode({ ...valid, entries: [[-1, 1]] }), "entries[0]: "],
    ["a distance beyond any", encode({ ...valid, entries: [[0, 2 ** 31]] }), "entries[0]: "],
    ["a text for a number", encode({ ...valid, entries: [["0", 0]] }), "entries[0]: "],
    ["too large a file", new Uint8Array(MAX_MAP_JSON_BYTES + 1), "expected at most 67108864 bytes"],
  ])("of %s is refused by place", (_, bytes, message) => {
    const read = () => readVocabularyMapJson(bytes, "map.json");
    expect(read).toThrow(InvalidInputError);
    expect(read).toThrow(message);
  });

  it("is refused or read, whatever byte of it changes", () => {
    const bytes = encode(valid);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (place, byte) => {
        const changed = bytes.slice();
        changed[place] = byte;
        try {
          expect(readVocabularyMapJson(changed, "map.json").targetOfSource.length).toBeGreaterThan(0);
        } catch (error) {
          expect((error as InvalidInputError).code).toBe("MAP_INVALID");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
