import { sha256 } from "../../formats/sha256.ts";
import type { Tokenizer } from "../../ports/tokenizer.ts";
import { createSplitter, type Section } from "./added-tokens.ts";
import { unmapped } from "./mapped-text.ts";
import { createNormalizer } from "./normalizers.ts";
import { parseJsonObject } from "./parse-json-object.ts";
import { createPreTokenizer } from "./pre-tokenizers.ts";
import { TokenPlacer } from "./token-placer.ts";
import { type AddedToken, parseTokenizerDefinition } from "./tokenizer-definition.ts";
import { unrepresentable } from "./tokenizer-errors.ts";
import { buildVocabulary } from "./vocabulary.ts";
import { createWordModel } from "./word-model.ts";

/** A config.json has a few kilobytes. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * A Hugging Face tokenizer with exact byte positions. Words are written by the models of `@huggingface/tokenizers`; since it gives no
 * offsets, normalisation and splitting are done here, where every character's origin is kept.
 *
 * A text is text: what looks like a special token in it (`</s>`) is written with ordinary tokens, never read as one, so that
 * no data can end a sample or open one. Added tokens that are not special (runs of spaces) are used as the tokenizer does.
 *
 * @param tokenizerJson - tokenizer.json
 * @param configJson - the model's config.json, for the ids of BOS, EOS and padding
 * @param what - names party and file in errors, such as `client harbour: models/a/tokenizer.json`
 * @throws InvalidInputError `FILE_TOO_LARGE`, `INVALID_JSON`, `INVALID_TOKENIZER`, `INVALID_MODEL_CONFIG`,
 *   `TOKENIZER_UNSUPPORTED`
 */
export function openTokenizer(tokenizerJson: Uint8Array, configJson: Uint8Array, what: string): Tokenizer {
  const definition = parseTokenizerDefinition(tokenizerJson, what);
  const config = parseJsonObject(configJson, MAX_CONFIG_BYTES, `${what}, its model's config.json`);
  const normalize = createNormalizer(definition.normalizers, what);
  const preTokenizer = createPreTokenizer(definition.preTokenizers, what);
  const splitWords = (text: string) =>
    preTokenizer.split(normalize(unmapped(text)).text, true).map((piece) => piece.text);
  const vocabulary = buildVocabulary(definition, config, splitWords, what);
  const { tokens } = vocabulary;

  const plain = definition.added.filter((token) => !token.special && tokens[token.id] !== null);
  const splitText = createSplitter(byContent(plain.filter((token) => !token.normalized)));
  const splitNormalized = createSplitter(
    byContent(
      plain.filter((token) => token.normalized),
      (content) => normalize(unmapped(content)).text,
    ),
  );
  const special = byContent(definition.added.filter((token) => token.special));
  const splitMarked = (text: string, marks: readonly string[]): Section[] => {
    const known = new Map(marks.flatMap((mark) => (special.has(mark) ? [[mark, special.get(mark)!]] : [])));
    if (known.size === 0) return splitText(text);
    return createSplitter(known)(text).flatMap((section) => {
      const { from, to, token } = section;
      if (token !== null) return [section];
      return splitText(text.slice(from, to)).map((inner) => ({
        ...inner,
        from: from + inner.from,
        to: from + inner.to,
      }));
    });
  };
  const ordinary = new Map([...definition.vocabulary].filter(([, id]) => tokens[id] !== null));
  const unknown = definition.unknownToken === null ? null : vocabulary.strings.indexOf(definition.unknownToken);
  const writeWord = createWordModel(definition, ordinary, unknown, what);

  return {
    hash: sha256(tokenizerJson),
    vocabulary,
    encode(text, marks = [], most = Number.POSITIVE_INFINITY) {
      if (!text.isWellFormed())
        throw unrepresentable(what, 0, "expected well-formed Unicode, got half a surrogate pair");
      const placer = new TokenPlacer(text, preTokenizer.rewrites);
      for (const section of splitMarked(text, marks)) {
        if (section.token !== null) {
          placer.placeAdded(section.token.id, unmapped(text), 0, section.to);
          continue;
        }
        const normalized = normalize(unmapped(text.slice(section.from, section.to)));
        for (const part of splitNormalized(normalized.text)) {
          if (part.token !== null) {
            placer.placeAdded(part.token.id, normalized, section.from, part.to);
            continue;
          }
          const whole = part.from === 0 && part.to === normalized.text.length;
          const words = whole ? normalized.text : normalized.text.slice(part.from, part.to);
          for (const piece of preTokenizer.split(words, section.from + part.from === 0)) {
            if (placer.count > most) break;
            piece.from += part.from;
            placer.place(piece, writeWord(piece.text), normalized, section.from);
          }
        }
      }
      return placer.finish((byte, reason) => unrepresentable(what, byte, reason));
    },
    decode(ids) {
      const pieces = Array.from(ids, (id) => tokens[id]).filter((piece) => piece !== null && piece !== undefined);
      const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      let position = 0;
      for (const piece of pieces) {
        bytes.set(piece, position);
        position += piece.length;
      }
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      return definition.addsSpace && text.startsWith(" ") ? text.slice(1) : text;
    },
  };
}

function byContent(
  tokens: readonly AddedToken[],
  written: (content: string) => string = (content) => content,
): Map<string, AddedToken> {
  const found = new Map(tokens.map((token) => [written(token.content), token]));
  found.delete("");
  return found;
}
