import type { EncodedText } from "../core/alignment/encode-sample.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import { identifySample, type Sample } from "../core/samples/sample.ts";
import { hashSample } from "../formats/samples.ts";
import type { TokenizedModel } from "./open-model.ts";

/** What a model makes of a sample's answer, or of one choice of a question. */
export interface ScoredText {
  /** natural loss, summed over the answer's tokens */
  nats: number;
  /** the answer's tokens, EOS after a completion among them */
  tokens: number;
  /** the answer's UTF-8 bytes */
  bytes: number;
}

/** Forward passes between two reports of progress. */
const BATCHES_A_REPORT = 8;

export type ReportScored = (done: number, of: number) => void;

/** @returns [S] the loss of each sample's answer */
export function scoreTexts(
  open: TokenizedModel,
  samples: readonly Sample[],
  batchSize: number,
  report?: ReportScored,
): Promise<ScoredText[]> {
  return score(open, samples.map(open.encodeScored), batchSize, report);
}

/** @returns for each question the losses of its choices, without EOS: whether the model would stop there is not asked */
export async function scoreChoices(
  open: TokenizedModel,
  questions: readonly MultipleChoice[],
  batchSize: number,
  report?: ReportScored,
): Promise<ScoredText[][]> {
  const encoded = questions.flatMap(({ prompt, answers, line }) =>
    answers.map((answer) => {
      const id = identifySample("completion", prompt, answer, hashSample);
      return withoutEnd(open.encodeScored({ id, prompt, answer, kind: "completion", line }));
    }),
  );
  const scored = await score(open, encoded, batchSize, report);
  let first = 0;
  return questions.map(({ answers }) => {
    first += answers.length;
    return scored.slice(first - answers.length, first);
  });
}

/** @returns of the samples' answer tokens, EOS after a completion among them, how many are the model's first choice after all that stands before */
export async function countFirstChoices(
  { model, encodeScored }: TokenizedModel,
  samples: readonly Sample[],
  batchSize: number,
): Promise<{ right: number; tokens: number }> {
  const encoded = samples.map(encodeScored);
  const counted = { right: 0, tokens: 0 };
  let sample = 0;
  for await (const { positions, topIds } of model.extract(encoded, 1, batchSize)) {
    const { ids } = encoded[sample++];
    counted.tokens += positions.length;
    for (const [index, position] of positions.entries()) if (topIds[index] === ids[position + 1]) counted.right++;
  }
  return counted;
}

export function totalLoss(scored: readonly ScoredText[]): ScoredText {
  const sum = (of: (one: ScoredText) => number) => scored.reduce((total, one) => total + of(one), 0);
  return { nats: sum((one) => one.nats), tokens: sum((one) => one.tokens), bytes: sum((one) => one.bytes) };
}

async function score(
  { model }: TokenizedModel,
  encoded: readonly EncodedText[],
  batchSize: number,
  report?: ReportScored,
): Promise<ScoredText[]> {
  const scored: ScoredText[] = [];
  const atOnce = report === undefined ? Math.max(1, encoded.length) : batchSize * BATCHES_A_REPORT;
  for (let begin = 0; begin < encoded.length; begin += atOnce) {
    const part = encoded.slice(begin, begin + atOnce);
    const nats = await model.score(part, batchSize);
    for (const [index, { answer, answerBytes }] of part.entries())
      scored.push({
        nats: nats[index],
        tokens: answer.reduce((sum, flag) => sum + flag, 0),
        bytes: answerBytes,
      });
    report?.(scored.length, encoded.length);
  }
  return scored;
}

function withoutEnd({ ids, ends, answer, answerBytes }: EncodedText): EncodedText {
  return { ids: ids.subarray(0, -1), ends: ends.subarray(0, -1), answer: answer.subarray(0, -1), answerBytes };
}
