import type { StageName } from "../contracts/stages.ts";
import { STAGES } from "../contracts/stages.ts";
import { FedmktError, InvalidInputError, InvariantError } from "../core/errors.ts";

/**
 * What a host reports of an error. Ours keep their name, by which Step Functions decides. Whatever else was thrown is a bug
 * of ours: an `InvariantError`, which nothing retries and an alarm counts; the original is its cause.
 */
export function stageFailure(stage: string, thrown: unknown): FedmktError {
  if (thrown instanceof FedmktError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new InvariantError("UNEXPECTED", `${stage}: ${error.name}: ${error.message}`, { cause: thrown });
}

/** Checks a stage's input. @throws InvalidInputError `STAGE_INPUT_INVALID` naming every wrong field */
export function parseStageInput<S extends StageName>(stage: S, input: unknown) {
  const result = STAGES[stage].input.safeParse(input);
  if (result.success) return result.data;
  throw new InvalidInputError("STAGE_INPUT_INVALID", `${stage}: ${issues(result.error)}`);
}

/** Checks a stage's output before the machine sees it. @throws InvariantError `STAGE_OUTPUT_INVALID` */
export function parseStageOutput<S extends StageName>(stage: S, output: unknown) {
  const result = STAGES[stage].output.safeParse(output);
  if (result.success) return result.data;
  throw new InvariantError("STAGE_OUTPUT_INVALID", `${stage}: ${issues(result.error)}`);
}

/** zod's issues in one line. */
export function issues(error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] }): string {
  return error.issues.map(({ path, message }) => `${path.map(String).join(".") || "(input)"}: ${message}`).join("; ");
}
