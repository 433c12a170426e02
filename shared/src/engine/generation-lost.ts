import { InvariantError } from "../core/errors.ts";

/** What ends texts whose model was trained meanwhile. */
export function generationLost(): InvariantError {
  return new InvariantError(
    "GENERATION_LOST",
    "expected a text that is being generated; the model was trained meanwhile",
  );
}
