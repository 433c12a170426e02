import { type Continuation, continueTokens, type GeneratingModel, type GenerationEnd, LEFT } from "../generate-text.ts";
import { type GeneratedTold, tellToken } from "./told-token.ts";

/** What is certain of one answer since the part before. */
export interface AnswerPart {
  /** perhaps nothing */
  text: string;
  /** the tokens whose text begins in it, where they are asked for */
  tokens: GeneratedTold[];
  /** tokens that were generated for it */
  generated: number;
  /** tokens of the prompt that were not read for it, since what was kept began alike */
  reused: number;
  /** why the answer has ended; null before its last part */
  end: GenerationEnd | null;
}

/**
 * One answer. A token is told with the text that it begins: none is told whose text a stop text cuts off whole.
 *
 * @param tellsTokens - whether tokens are told
 */
export async function* answerParts(
  open: GeneratingModel,
  continuation: Continuation,
  tellsTokens: boolean,
): AsyncGenerator<AnswerPart, void> {
  const { vocabulary } = open.tokenizer;
  const waiting: GeneratedTold[] = [];
  let given = 0;
  /** a special token has no text: it is told with what stands before it */
  const isCertain = ({ begins, bytes }: GeneratedTold) => begins < given || (bytes === null && begins === given);
  const take = (text: string): GeneratedTold[] => {
    given += text.length;
    const uncertain = waiting.findIndex((token) => !isCertain(token));
    return waiting.splice(0, uncertain < 0 ? waiting.length : uncertain);
  };
  const pieces = continueTokens(open, continuation);
  try {
    for (;;) {
      const next = await pieces.next();
      if (next.done) {
        const { end, cut, text } = next.value;
        const tokens = take(text);
        yield { text, tokens: cut ? tokens : [...tokens, ...waiting], generated: 0, reused: 0, end };
        return;
      }
      const { token, begins, text } = next.value;
      if (tellsTokens) waiting.push(tellToken(vocabulary, token, begins));
      yield { text, tokens: take(text), generated: 1, reused: token.reusedTokens ?? 0, end: null };
    }
  } finally {
    await pieces.return(LEFT);
  }
}
