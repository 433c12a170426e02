/** @returns the token indices after which an answer token comes */
export function answerPositions({ answer }: { readonly answer: Uint8Array }): Int32Array {
  const positions = new Int32Array(countAnswers(answer));
  let found = 0;
  for (let token = 1; token < answer.length; token++) if (answer[token]) positions[found++] = token - 1;
  return positions;
}

/**
 * @param taught - positions at which knowledge is learned, ascending; they need not be an answer's
 * @returns the positions at which a sample is learned at all, ascending: the answer's and those
 */
export function learnedPositions(sample: { readonly answer: Uint8Array }, taught: Int32Array): Int32Array {
  const answers = answerPositions(sample);
  const others = taught.filter((position) => !sample.answer[position + 1]);
  if (others.length === 0) return answers;
  const all = new Int32Array(answers.length + others.length);
  all.set(answers);
  all.set(others, answers.length);
  return all.sort();
}

/** @returns how many of its tokens a causal model reads for all answers: those after the last position tell it nothing more */
export function tokensToRead({ answer }: { readonly answer: Uint8Array }): number {
  return Math.max(0, answer.lastIndexOf(1));
}

function countAnswers(answer: Uint8Array): number {
  let count = 0;
  for (const flag of answer) if (flag) count++;
  return count;
}
