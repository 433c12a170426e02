import { forCharacters, type MappedText, MappedTextWriter } from "./mapped-text.ts";
import type { JsonObject } from "./parse-json-object.ts";
import { invalid } from "./tokenizer-errors.ts";

/** A double array's unit, as Darts-clone packs it into 32 bits. */
const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1;
const placeOf = (unit: number) => unit & 0x7fffffff;
const labelOf = (unit: number) => (unit & 0x800000ff) >>> 0;
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);

/** What longer stretches of bytes become is looked up character by character. */
const LONGEST_CLUSTER = 6;
/** Parts whose replacement is remembered. */
const MAX_KNOWN = 1 << 14;

/**
 * SentencePiece's normalisation (NMT's NFKC and its like) from the map in the file: a trie of what is replaced, and the replacements, each
 * ended by a zero byte. As the Rust library reads it: a grapheme cluster of fewer than {@link LONGEST_CLUSTER} bytes that begins with an
 * entry becomes its replacement, else each character by itself.
 *
 * @throws InvalidInputError `INVALID_TOKENIZER` where the map is cut off
 */
export function createPrecompiledNormalizer(step: JsonObject, what: string): (source: MappedText) => MappedText {
  const { trie, replacements } = parse(step.precompiled_charsmap, what);
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  const encoder = new TextEncoder();
  const known = new Map<string, string | null>();
  const lookUp = (part: string): string | null => {
    let replacement = known.get(part);
    if (replacement === undefined) {
      replacement = find(encoder.encode(part), trie, replacements, what);
      if (known.size < MAX_KNOWN) known.set(part, replacement);
    }
    return replacement;
  };
  return (source) => {
    const writer = new MappedTextWriter(source);
    let kept = 0;
    const replace = (from: number, to: number, replacement: string) => {
      writer.keep(kept, from);
      writer.replace(from, to, replacement);
      kept = to;
    };
    for (const { segment, index } of segmenter.segment(source.text)) {
      const whole = encoder.encode(segment).length < LONGEST_CLUSTER ? lookUp(segment) : null;
      if (whole !== null) {
        replace(index, index + segment.length, whole);
        continue;
      }
      forCharacters(segment, (character, from, to) => {
        const replacement = lookUp(character);
        if (replacement !== null) replace(index + from, index + to, replacement);
      });
    }
    if (kept === 0) return source;
    writer.keep(kept, source.text.length);
    return writer.finish();
  };
}

function parse(value: unknown, what: string): { trie: Uint32Array; replacements: Uint8Array } {
  const bytes = typeof value === "string" ? Uint8Array.from(Buffer.from(value, "base64")) : new Uint8Array();
  const trieBytes = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, true);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw invalid(what, `expected a precompiled_charsmap in base64 with a trie, got ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, 4, trieBytes);
  const trie = Uint32Array.from({ length: trieBytes / 4 }, (_, unit) => view.getUint32(unit * 4, true));
  return { trie, replacements: bytes.subarray(4 + trieBytes) };
}

/** @returns the replacement of the shortest entry that the bytes begin with; null where there is none */
function find(key: Uint8Array, trie: Uint32Array, replacements: Uint8Array, what: string): string | null {
  const unitAt = (position: number) => {
    if (position >= trie.length) throw invalid(what, "expected a whole trie in precompiled_charsmap");
    return trie[position];
  };
  let position = offsetOf(unitAt(0));
  for (const byte of key) {
    if (byte === 0) return null;
    position ^= byte;
    const unit = unitAt(position);
    if (labelOf(unit) !== byte) return null;
    position ^= offsetOf(unit);
    if (!hasLeaf(unit)) continue;
    const from = placeOf(unitAt(position));
    const to = replacements.indexOf(0, from);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
      replacements.subarray(from, to < 0 ? replacements.length : to),
    );
  }
  return null;
}
