import { alignKnowledge } from "../../shared/src/core/alignment/align-knowledge.ts";
import type { AlignedKnowledge, Knowledge, VocabularyMap } from "../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** The method's own alignment and transfer, of two tokenizers' knowledge. */
export function alignByByteOffset(
  [from, source]: [Knowledge, Tokenizer],
  [to, target]: [Knowledge, Tokenizer],
  map: VocabularyMap,
  learn: "group" | "token",
  temperature = 1,
): AlignedKnowledge {
  const vocabularies = { source: source.vocabulary, target: target.vocabulary };
  return alignKnowledge(from, to, map, vocabularies, {
    alignment: "byte-offset",
    transfer: "product",
    learn,
    temperature,
  });
}
