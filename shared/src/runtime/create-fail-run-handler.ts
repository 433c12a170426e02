import type { Logger } from "@aws-lambda-powertools/logger";
import type { Context } from "aws-lambda";
import { executionEnded, failedRun } from "../contracts/execution-ended.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { createStageHandler } from "./create-stage-handler.ts";
import { houseLogger } from "./house-logger.ts";

/**
 * The handler of fail-run, which has two callers: the run machine, with the stage's input; and the rule for runs that ended
 * without their machine's Catch (time-out, stopped by hand, an error that none catches), with EventBridge's event.
 * @returns null for the end of an execution that was no run's
 */
export function createFailRunHandler<D>(
  useCase: (deps: D) => (input: StageInput<"fail-run">) => Promise<StageOutput<"fail-run">>,
  deps: D,
  logger: Pick<Logger, "info" | "error"> = houseLogger("fail-run"),
) {
  const stage = createStageHandler("fail-run", useCase, deps, logger);
  return async (event: unknown, context: Context): Promise<StageOutput<"fail-run"> | null> => {
    const ended = executionEnded.safeParse(event);
    if (!ended.success) return stage(event, context);
    const input = failedRun(ended.data);
    if (input !== null) return stage(input, context);
    logger.info("execution was no run's", { execution: ended.data.detail.executionArn });
    return null;
  };
}
