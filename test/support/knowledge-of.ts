import { encodeSample } from "../../shared/src/core/alignment/encode-sample.ts";
import type { Knowledge } from "../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

export interface TextOrCompletion {
  prompt: string;
  answer: string;
  kind: "text" | "completion";
}

/** What a model says at a position: log-probabilities by token id. Called with sample and token index. */
export type Distribution = (sample: number, position: number) => { ids: number[]; probabilities: number[] };

/** Knowledge of samples as a model with this tokenizer would extract it, saying what `distribution` says. */
export function knowledgeOf(
  samples: readonly TextOrCompletion[],
  tokenizer: Tokenizer,
  distribution: Distribution,
): Knowledge {
  const encoded = samples.map((sample, index) =>
    encodeSample({ ...sample, id: new Uint8Array(16).fill(index + 1), line: index + 1 }, tokenizer, 1e6),
  );
  const positions = encoded.map(({ answer }) => [...answer.keys()].filter((token) => answer[token + 1] === 1));
  const offsets = (lengths: number[]) =>
    Int32Array.from([0, ...lengths].map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0)));
  const rows = positions.flatMap((list, sample) => list.map((position) => distribution(sample, position)));
  return {
    sampleIds: Uint8Array.from(samples.flatMap((_, index) => new Array<number>(16).fill(index + 1))),
    lossNats: new Float64Array(samples.length),
    answerBytes: Int32Array.from(encoded, ({ answerBytes }) => answerBytes),
    answerPositions: Int32Array.from(positions, (list) => list.length),
    tokenOffsets: offsets(encoded.map(({ ids }) => ids.length)),
    tokenIds: Int32Array.from(encoded.flatMap(({ ids }) => [...ids])),
    tokenEnds: Int32Array.from(encoded.flatMap(({ ends }) => [...ends])),
    positionOffsets: offsets(positions.map((list) => list.length)),
    positions: Int32Array.from(positions.flat()),
    entryOffsets: offsets(rows.map(({ ids }) => ids.length)),
    topIds: Int32Array.from(rows.flatMap(({ ids }) => ids)),
    topLogProbs: Float32Array.from(rows.flatMap(({ probabilities }) => probabilities.map(Math.log))),
    tailMass: Float32Array.from(rows, ({ probabilities }) => Math.max(0, 1 - probabilities.reduce((a, b) => a + b, 0))),
  };
}
