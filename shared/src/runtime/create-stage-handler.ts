import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { LambdaStageName, StageInput, StageOutput } from "../contracts/stages.ts";
import { houseLogger, identityOf } from "./house-logger.ts";
import { measureStage } from "./house-metrics.ts";
import { parseStageInput, parseStageOutput, stageFailure } from "./stage-failure.ts";

/**
 * A Lambda handler for one stage: checks the input against the table of stages, runs the use case, checks its output, logs
 * one line at the start and one at the end and what the stage has to be counted, and lets errors out under the name that Step Functions decides by.
 */
export function createStageHandler<S extends LambdaStageName, D>(
  stage: S,
  useCase: (deps: D) => (input: StageInput<S>) => Promise<StageOutput<S>>,
  deps: D,
  logger: Pick<Logger, "info" | "error"> = houseLogger(stage),
) {
  const run = useCase(deps);
  return middy<unknown, StageOutput<S>>()
    .before(({ event }) => logger.info("stage started", identityOf(event)))
    .after(({ event }) => logger.info("stage done", identityOf(event)))
    .onError((request) => {
      const failure = stageFailure(stage, request.error);
      logger.error("stage failed", { ...identityOf(request.event), code: failure.code, error: failure });
      request.error = failure;
    })
    .handler(async (event, { functionName }) => {
      const input = parseStageInput(stage, event) as StageInput<S>;
      const output = parseStageOutput(stage, await run(input)) as StageOutput<S>;
      measureStage(stage, output, { functionName, ...identityOf(input) });
      return output;
    });
}
