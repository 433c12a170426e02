/** ARN of an execution of the run machine. */
export function executionArn(name: string): string {
  return `arn:aws:states:eu-central-1:111122223333:execution:fedmkt-dev-run:${name}`;
}

/** The execution that runs a test's spec, unless it says another. */
export const EXECUTION = executionArn("first");
