import { FedmktError, InvalidInputError, InvariantError, TransientError } from "../core/errors.ts";

/** An error as it crosses between threads: structured cloning loses classes and codes. */
export interface ThreadError {
  name: string;
  code: string | null;
  message: string;
  stack: string | undefined;
}

const CLASSES = { InvalidInputError, TransientError, InvariantError } as const;

export function packError(error: unknown): ThreadError {
  if (error instanceof FedmktError)
    return { name: error.name, code: error.code, message: error.message, stack: error.stack };
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, code: null, message, stack };
}

/** @returns the same class, code and message; errors of other classes become an InvariantError `ENGINE_FAILED` */
export function unpackError({ name, code, message, stack }: ThreadError): FedmktError {
  const error =
    code !== null && Object.hasOwn(CLASSES, name)
      ? new CLASSES[name as keyof typeof CLASSES](code, message)
      : new InvariantError("ENGINE_FAILED", `${name}: ${message}`);
  if (stack) error.stack = stack;
  return error;
}
