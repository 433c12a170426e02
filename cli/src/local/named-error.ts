/** An error by the name that Step Functions matches on; its message is the cause. */
export function namedError(name: string, cause: string): Error {
  return Object.assign(new Error(cause), { name });
}

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
