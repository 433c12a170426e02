import fc from "fast-check";
import type { Knowledge } from "../../shared/src/core/knowledge.ts";

/** Knowledge that the checks accept, and the header's numbers that it needs. */
export interface AnyKnowledge {
  knowledge: Knowledge;
  vocabularySize: number;
  topK: number;
}

/** How a position's log-probabilities fall: by chance, all equal, at once to nearly nothing, or as one entry alone. */
const SHAPES = ["random", "equal", "steep", "single"] as const;

/**
 * Any valid knowledge: vocabularies of 1 to 2^20 tokens, from one entry at a position to all of them, as many at each as it
 * likes, with and without tail, prompts and prefix spaces, and losses that fit.
 */
export const anyKnowledge: fc.Arbitrary<AnyKnowledge> = fc
  .record({
    vocabularySize: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(1, 2, 3, 512, 1000) },
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) },
      { weight: 1, arbitrary: fc.constantFrom(49_152, 1 << 20) },
    ),
    samples: fc.array(
      fc.record({ tokens: fc.integer({ min: 2, max: 9 }), prompt: fc.nat(3), all: fc.boolean(), space: fc.boolean() }),
      { minLength: 0, maxLength: 4 },
    ),
    shapes: fc.array(
      fc.record({
        shape: fc.constantFrom(...SHAPES),
        entries: fc.integer({ min: 1, max: 40 }),
        whole: fc.boolean(),
        tail: fc.oneof(fc.constantFrom(0, 0.5, 1e-9, 0.999), fc.double({ min: 0, max: 0.99, noNaN: true })),
        spread: fc.double({ min: 0.01, max: 12, noNaN: true }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    seed: fc.integer(),
  })
  .map(({ vocabularySize, samples, shapes, seed }) => {
    let state = seed | 1;
    const draw = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      return (state >>> 0) / 2 ** 32;
    };
    const pick = (below: number) => Math.floor(draw() * below);
    const tokenIds: number[] = [];
    const tokenEnds: number[] = [];
    const tokenOffsets = [0];
    const positions: number[] = [];
    const positionOffsets = [0];
    const answerBytes: number[] = [];
    const answerPositions: number[] = [];
    const lossNats: number[] = [];
    const entryOffsets = [0];
    const topIds: number[] = [];
    const topLogProbs: number[] = [];
    const tailMass: number[] = [];
    let topK = 1;
    for (const { tokens, prompt, all, space } of samples) {
      const first = tokenIds.length;
      let end = space ? -1 : 0;
      for (let token = 0; token < tokens; token++) {
        tokenIds.push(pick(vocabularySize));
        tokenEnds.push(end);
        end += (end < 0 ? 2 : 1) + pick(3);
      }
      tokenOffsets.push(tokenIds.length);
      const promptPositions = Math.min(prompt, tokens - 2);
      const answers = tokens - 1 - promptPositions;
      let nats = 0;
      for (let position = all ? 0 : promptPositions; position < tokens - 1; position++) {
        const { shape, entries, whole, tail, spread } = shapes[positions.length % shapes.length];
        positions.push(position);
        const count = Math.min(vocabularySize, whole && vocabularySize <= 300 ? vocabularySize : entries);
        topK = Math.max(topK, count);
        const ids = new Set<number>();
        while (ids.size < count) ids.add(pick(vocabularySize));
        const weights = [...ids].map((_, rank) =>
          shape === "equal"
            ? 0
            : shape === "steep"
              ? rank === 0
                ? 0
                : -100
              : shape === "single"
                ? -rank
                : -draw() * spread,
        );
        weights.sort((a, b) => b - a);
        const kept = count === vocabularySize ? 1 : 1 - tail;
        const sum = weights.reduce((total, weight) => total + Math.exp(weight), 0);
        const logProbs = weights.map((weight) => Math.fround(Math.min(0, weight + Math.log(kept / sum))));
        const answer = tokenIds[first + position + 1];
        const found = [...ids].indexOf(answer);
        const last = logProbs[logProbs.length - 1];
        const rest = Math.fround(1 - kept);
        if (position >= promptPositions)
          nats -= found >= 0 ? logProbs[found] : Math.min(last, Math.log(Math.max(rest, 1e-30)) - 0.1);
        topIds.push(...ids);
        topLogProbs.push(...logProbs);
        tailMass.push(rest);
        entryOffsets.push(topIds.length);
      }
      positionOffsets.push(positions.length);
      answerPositions.push(answers);
      answerBytes.push(tokenEnds[tokenEnds.length - 1] - Math.max(0, tokenEnds[first + promptPositions]));
      lossNats.push(Math.max(0, nats));
    }
    const sampleIds = new Uint8Array(16 * samples.length);
    samples.forEach((_, sample) => {
      sampleIds[16 * sample] = sample;
      sampleIds[16 * sample + 9] = pick(256);
    });
    const knowledge: Knowledge = {
      sampleIds,
      lossNats: Float64Array.from(lossNats),
      answerBytes: Int32Array.from(answerBytes),
      answerPositions: Int32Array.from(answerPositions),
      tokenOffsets: Int32Array.from(tokenOffsets),
      tokenIds: Int32Array.from(tokenIds),
      tokenEnds: Int32Array.from(tokenEnds),
      positionOffsets: Int32Array.from(positionOffsets),
      positions: Int32Array.from(positions),
      entryOffsets: Int32Array.from(entryOffsets),
      topIds: Int32Array.from(topIds),
      topLogProbs: Float32Array.from(topLogProbs),
      tailMass: Float32Array.from(tailMass),
    };
    return { knowledge, vocabularySize, topK };
  });
