import { z } from "zod";
import { resourceName } from "./identifier.ts";
import { controlKeys } from "./keys.ts";
import type { StageInput } from "./stages.ts";

/**
 * EventBridge's "Step Functions Execution Status Change" of a run's execution that has ended. `error` and `cause` are optional, and
 * the input (the S3 event that started the run, as JSON) is left out where it is long.
 */
export const executionEnded = z.looseObject({
  "detail-type": z.literal("Step Functions Execution Status Change"),
  detail: z.looseObject({
    executionArn: z.string(),
    name: z.string().min(1),
    status: z.enum(["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]),
    input: z.string().nullish(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
});
export type ExecutionEnded = z.infer<typeof executionEnded>;

const started = z.looseObject({ detail: z.looseObject({ object: z.looseObject({ key: z.string() }) }) });

/** What a person is told where Step Functions says nothing. */
const ENDS = {
  FAILED: "the execution failed",
  TIMED_OUT: "the execution took longer than its machine allows",
  ABORTED: "the execution was stopped",
} as const;

/**
 * fail-run's input for the end of an execution; null where it succeeded, and where it was no run's, since its key is not that of
 * a spec.
 */
export function failedRun({ detail }: ExecutionEnded): StageInput<"fail-run"> | null {
  const { status, executionArn: execution } = detail;
  const run = runOf(detail.input ?? "");
  if (run === null || status === "SUCCEEDED") return null;
  return {
    run,
    error: detail.error ?? (status === "TIMED_OUT" ? "States.Timeout" : status),
    cause: detail.cause ?? `${ENDS[status]}: ${execution}`,
    execution,
  };
}

function runOf(input: string): string | null {
  let event: unknown;
  try {
    event = JSON.parse(input);
  } catch {
    return null;
  }
  const key = started.safeParse(event).data?.detail.object.key ?? "";
  const run = key.split("/")[1] ?? "";
  return key === controlKeys.spec(run) && resourceName.safeParse(run).success ? run : null;
}
