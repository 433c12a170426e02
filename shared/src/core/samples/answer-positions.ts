/** @returns the token indices after which an answer token comes */
export function answerPositions({ answer }: { readonly answer: Uint8Array }): Int32Array {
  const positions = new Int32Array(countAnswers(answer));
  let found = 0;
  for (let token = 1; token < answer.length; token++) if (answer[token]) positions[found++] = token - 1;
  return positions;
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
