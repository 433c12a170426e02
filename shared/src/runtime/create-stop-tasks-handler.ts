import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import { executionEnded } from "../contracts/execution-ended.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { EndedExecution } from "../use-cases/stop-tasks.ts";
import { houseLogger } from "./house-logger.ts";
import { issues, stageFailure } from "./stage-failure.ts";

export interface StoppedTasks {
  stopped: string[];
}

/** The handler of the rule for every end of a run's execution, successful or not. What fails comes again: EventBridge sees to that. */
export function createStopTasksHandler<D>(
  useCase: (deps: D) => (ended: EndedExecution) => Promise<StoppedTasks>,
  deps: D,
  logger: Pick<Logger, "info" | "error"> = houseLogger("stop-tasks"),
) {
  const stop = useCase(deps);
  return middy<unknown, StoppedTasks>()
    .onError((request) => {
      const failure = stageFailure("stop-tasks", request.error);
      logger.error("tasks not stopped", { code: failure.code, error: failure });
      request.error = failure;
    })
    .handler(async (event) => {
      const ended = executionEnded.safeParse(event);
      if (!ended.success) throw new InvalidInputError("STAGE_INPUT_INVALID", `stop-tasks: ${issues(ended.error)}`);
      const { name, status, executionArn } = ended.data.detail;
      const { stopped } = await stop({ name, status });
      logger.info("tasks stopped", { execution: executionArn, status, tasks: stopped });
      return { stopped };
    });
}
