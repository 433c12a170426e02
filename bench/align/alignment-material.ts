import { readFileSync } from "node:fs";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { encodeSample } from "../../shared/src/core/alignment/encode-sample.ts";
import type { Knowledge } from "../../shared/src/core/knowledge.ts";
import { createRandom } from "../../shared/src/core/numeric/random.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** Of a distribution's likeliest tokens the n-th has about 1 / n^DECAY of the first one's probability. */
const DECAY = 1.5;
/** What top-K leaves for the tail. */
const TAIL = 0.03;

export function openMaterialTokenizer(material: string, name: string): Tokenizer {
  const file = `${material}/data/tokenizers/${name}.tokenizer.json`;
  return openTokenizer(readFileSync(file), new TextEncoder().encode("{}"), file);
}

/** Real text, cut into pieces of so many characters; what lies outside ASCII's letters and signs is a space. */
export function readPieces(material: string, name: string, characters: number, count: number): string[] {
  const text = readFileSync(`${material}/data/text/${name}.txt`, "utf8").replaceAll(/[^ -~]+/g, " ");
  return Array.from({ length: count }, (_, index) => text.slice(index * characters, (index + 1) * characters).trim());
}

/**
 * Knowledge as a model might have of texts: at each position the token that follows is likely, the others are drawn as often
 * as texts use them, and probabilities decay as a power. The same every time.
 */
export function makeKnowledge(texts: readonly string[], tokenizer: Tokenizer, topK: number): Knowledge {
  const encoded = texts.map((answer, index) =>
    encodeSample(
      { id: new Uint8Array(16).fill(index), prompt: "", answer, kind: "text", line: index + 1 },
      tokenizer,
      Number.POSITIVE_INFINITY,
    ),
  );
  const used = encoded.flatMap(({ ids }) => [...ids]);
  const vocabularySize = tokenizer.vocabulary.tokens.length;
  const random = createRandom(7);
  const draw = () =>
    random.next() < 0.7 ? used[Math.floor(random.next() * used.length)] : Math.floor(random.next() * vocabularySize);
  const tokenOffsets = offsetsOf(encoded.map(({ ids }) => ids.length));
  const positionOffsets = offsetsOf(encoded.map(({ ids }) => ids.length - 1));
  const count = positionOffsets[encoded.length];
  const topIds = new Int32Array(count * topK);
  const topLogProbs = new Float32Array(count * topK);
  let row = 0;
  for (const { ids } of encoded)
    for (let position = 0; position + 1 < ids.length; position++, row++) {
      const chosen = new Set([ids[position + 1]]);
      while (chosen.size < topK) chosen.add(draw());
      const weights = Array.from(chosen, (_, k) => (0.5 + random.next()) / (k + 1) ** DECAY).sort((a, b) => b - a);
      const total = weights.reduce((a, b) => a + b, 0) / (1 - TAIL);
      topIds.set([...chosen], row * topK);
      for (const [k, weight] of weights.entries()) topLogProbs[row * topK + k] = Math.log(weight / total);
    }
  return {
    sampleIds: Uint8Array.from(encoded.flatMap((_, index) => new Array<number>(16).fill(index))),
    lossNats: new Float64Array(encoded.length),
    answerBytes: Int32Array.from(encoded, ({ answerBytes }) => answerBytes),
    answerPositions: Int32Array.from(encoded, ({ ids }) => ids.length - 1),
    tokenOffsets,
    tokenIds: Int32Array.from(used),
    tokenEnds: Int32Array.from(encoded.flatMap(({ ends }) => [...ends])),
    positionOffsets,
    positions: Int32Array.from(encoded.flatMap(({ ids }) => Array.from({ length: ids.length - 1 }, (_, at) => at))),
    entryOffsets: Int32Array.from({ length: count + 1 }, (_, at) => at * topK),
    topIds,
    topLogProbs,
    tailMass: new Float32Array(count).fill(TAIL),
  };
}

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  for (const [index, length] of lengths.entries()) offsets[index + 1] = offsets[index] + length;
  return offsets;
}
