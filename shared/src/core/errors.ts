/**
 * Errors by what happens next. Step Functions matches on `name`, so each name is a literal; `code` says what happened.
 * Thrown anywhere inside, caught only at the edges (`runtime/`, `gpu-workers/`, the CLI's `main.ts`).
 */
export abstract class FedmktError extends Error {
  abstract override readonly name: "InvalidInputError" | "TransientError" | "InvariantError";
  readonly code: string;

  /**
   * @param code - upper snake case, listed in docs/errors.md
   * @param message - names the party, file, line or field, what was expected and what came
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What came from outside is wrong. Never retried: the same input fails again. CLI exit code 2. */
export class InvalidInputError extends FedmktError {
  override readonly name = "InvalidInputError";
}

/** The world was not ready (network, throttling, a lost machine). Retried with back-off. */
export class TransientError extends FedmktError {
  override readonly name = "TransientError";
}

/** A bug of ours: a state that must not occur. Never retried, raises an alarm. */
export class InvariantError extends FedmktError {
  override readonly name = "InvariantError";
}

/** Throws {@link InvariantError} unless the condition holds. */
export function invariant(condition: unknown, code: string, message: string): asserts condition {
  if (!condition) throw new InvariantError(code, message);
}
