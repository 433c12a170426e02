import { InvalidInputError } from "../../core/errors.ts";
import { answerPositions } from "../../core/samples/answer-positions.ts";
import type { EncodedSample, SampleKnowledge } from "../../ports/engine.ts";
import { readTensors, takeTensor, UnexpectedTensors } from "./trained-tensors.ts";

/**
 * What a trainer extracted of a batch: `topIds` and `topLogProbs` [P, K] of all answer positions together, `nats` [S].
 * @throws UnexpectedTensors where it is no knowledge of this batch, or out of order
 * @throws InvalidInputError `MODEL_NOT_FINITE`
 */
export function readKnowledge(
  bytes: Uint8Array | undefined,
  batch: readonly EncodedSample[],
  kept: number,
  vocabularySize: number,
  folder: string,
): SampleKnowledge[] {
  const { tensors } = readTensors(bytes);
  const perSample = batch.map(answerPositions);
  const rows = perSample.reduce((sum, { length }) => sum + length, 0);
  const ids = takeTensor(tensors, "topIds", "I32", rows * kept);
  const logProbs = takeTensor(tensors, "topLogProbs", "F32", rows * kept);
  const nats = takeTensor(tensors, "nats", "F64", batch.length);
  if ([...nats, ...logProbs].some((number) => !Number.isFinite(number)))
    throw new InvalidInputError(
      "MODEL_NOT_FINITE",
      `${folder}: expected finite log-probabilities, got others: are the weights broken?`,
    );
  for (let at = 0; at < ids.length; at++) {
    if (ids[at] < 0 || ids[at] >= vocabularySize)
      throw new UnexpectedTensors(`expected token ids below ${vocabularySize}, got ${ids[at]}`);
    if (at % kept === 0) continue;
    const falls = logProbs[at] < logProbs[at - 1] || (logProbs[at] === logProbs[at - 1] && ids[at] > ids[at - 1]);
    if (!falls) throw new UnexpectedTensors("expected log-probabilities that fall, ties by the lower id, got others");
  }
  let row = 0;
  return perSample.map((positions, index) => {
    const [begin, end] = [row * kept, (row + positions.length) * kept];
    row += positions.length;
    return {
      positions,
      topIds: ids.slice(begin, end),
      topLogProbs: logProbs.slice(begin, end),
      lossNats: nats[index],
    };
  });
}
