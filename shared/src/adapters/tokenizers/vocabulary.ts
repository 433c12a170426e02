import type { Vocabulary } from "../../ports/tokenizer.ts";
import { bytesOfByteLevelToken } from "./byte-level-alphabet.ts";
import type { JsonObject } from "./parse-json-object.ts";
import { findRoles } from "./roles.ts";
import type { TokenizerDefinition } from "./tokenizer-definition.ts";

const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;

/**
 * Every token's bytes by id. "▁" is a space, `<0x0A>` its byte where the model falls back to bytes, GPT-2's characters are
 * their bytes. Special tokens, and ids that no token has, are null; an added token that is not special is text and has its
 * content's bytes. A role's token is special where its content is written like one (`<s>`, `[PAD]`), listed or not.
 */
export function buildVocabulary(definition: TokenizerDefinition, config: JsonObject, what: string): Vocabulary {
  const tokens: (Uint8Array | null)[] = new Array(definition.size).fill(null);
  const contents: (string | null)[] = new Array(definition.size).fill(null);
  for (const [token, id] of definition.vocabulary) {
    contents[id] = token;
    tokens[id] = bytesOfToken(token, definition);
  }
  for (const { id, content, special } of definition.added) {
    contents[id] = content;
    tokens[id] = special ? null : utf8(definition.mark === null ? content : content.replaceAll(definition.mark, " "));
  }
  const roles = findRoles(definition, contents, config, what);
  for (const id of Object.values(roles))
    if (id !== null && /^(<.*>|\[.*\])$/su.test(contents[id] ?? "") && !isByteToken(contents[id]!, definition))
      tokens[id] = null;
  if (roles.unknown !== null) tokens[roles.unknown] = null;
  return { tokens, strings: contents, roles, unwritten: findUnwritten(tokens, contents, definition) };
}

/**
 * Where several tokens stand for the same bytes, the tokenizer writes one: an added token is looked for first, a byte token
 * only stands in for characters that have no token, and a plain space is never met where all are written as marks.
 */
function findUnwritten(
  tokens: readonly (Uint8Array | null)[],
  contents: readonly (string | null)[],
  definition: TokenizerDefinition,
): Set<number> {
  const added = new Set(definition.added.map((token) => token.id));
  const rank = (id: number) => {
    if (added.has(id)) return 0;
    if (definition.mark !== null && contents[id]!.includes(" ")) return 3;
    return isByteToken(contents[id]!, definition) ? 2 : 1;
  };
  const writtenOf = new Map<string, number>();
  const unwritten = new Set<number>();
  tokens.forEach((bytes, id) => {
    if (bytes === null) return;
    const key = bytes.join();
    const other = writtenOf.get(key);
    if (other !== undefined && rank(other) <= rank(id)) unwritten.add(id);
    else {
      if (other !== undefined) unwritten.add(other);
      writtenOf.set(key, id);
    }
  });
  return unwritten;
}

function bytesOfToken(token: string, definition: TokenizerDefinition): Uint8Array {
  if (definition.alphabet === "byte-level") return bytesOfByteLevelToken(token) ?? utf8(token);
  if (isByteToken(token, definition)) return Uint8Array.of(Number.parseInt(token.slice(3, 5), 16));
  return utf8(definition.mark === null ? token : token.replaceAll(definition.mark, " "));
}

function isByteToken(token: string, definition: TokenizerDefinition): boolean {
  return definition.byteFallback && BYTE_TOKEN.test(token);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
