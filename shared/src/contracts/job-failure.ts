/** What follows an error's words in what a job answers; none of a message of ours ends so. */
const SUFFIX = / \[([A-Z][A-Z0-9_]+)(?:: [^[\]]*)?\]$/;

/**
 * What a failed job answers the state that waits for it: the error's words, its code, by which docs/errors.md has the remedy, and which
 * job it was. Step Functions carries a name and one text, and the log of a worker at a site stays there.
 * @param job - what names it: stage, party, round, baseline
 */
export function jobFailureCause(
  { message, code }: { message: string; code: string },
  { round, stage, party, baseline }: Readonly<Record<string, unknown>>,
): string {
  const job = [round && `round ${round}`, stage, baseline, party].filter((part) => typeof part === "string");
  return `${message} [${code}${job.length > 0 ? `: ${job.join(", ")}` : ""}]`;
}

/** The code in what a job answered; null where the text is another's. */
export function codeOfJobFailure(cause: string): string | null {
  return SUFFIX.exec(cause)?.[1] ?? null;
}
