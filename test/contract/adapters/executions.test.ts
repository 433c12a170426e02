import { afterEach, describe, expect, it } from "@jest/globals";
import type { Front } from "../../../cli/src/local/front.ts";
import { stepFunctionsClient } from "../../../shared/src/adapters/aws/step-functions-callback.ts";
import { StepFunctionsExecutions } from "../../../shared/src/adapters/aws/step-functions-executions.ts";
import { EMBEDDED } from "../../support/embedded-stores.ts";
import { awsError, startJsonServices } from "../../support/json-service.ts";

const ARN = "arn:aws:states:us-east-1:000000000000:execution:fedmkt-dev-run:first";

let front: Front;
let asked: unknown[];
let waitedMs: number[];

/** @param answers - a status, or the error's name, one a call */
async function executionsThat(...answers: string[]): Promise<StepFunctionsExecutions> {
  asked = [];
  waitedMs = [];
  front = await startJsonServices({
    AWSStepFunctions: (operation, input) => {
      asked.push([operation, input]);
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer !== answer.toUpperCase()) throw awsError(answer);
      return { executionArn: ARN, status: answer };
    },
  });
  return new StepFunctionsExecutions(
    stepFunctionsClient({ endpoint: front.url, maxAttempts: 1, ...EMBEDDED }),
    async (ms) => {
      waitedMs.push(ms);
    },
  );
}

afterEach(() => front.stop());

describe("executions of Step Functions", () => {
  it.each([
    ["RUNNING", "running"],
    ["PENDING_REDRIVE", "running"],
    ["SUCCEEDED", "succeeded"],
    ["FAILED", "ended"],
    ["TIMED_OUT", "ended"],
    ["ABORTED", "ended"],
  ])("that are %s stand as %s", async (status, standing) => {
    const executions = await executionsThat(status);
    expect(await executions.standing(ARN)).toBe(standing);
    expect(asked).toEqual([["DescribeExecution", { executionArn: ARN }]]);
  });

  it("that Step Functions has forgotten have ended", async () => {
    const executions = await executionsThat("ExecutionDoesNotExist");
    expect(await executions.standing(ARN)).toBe("ended");
    expect(waitedMs.length).toBeGreaterThan(0);
  });

  it("that Step Functions does not know yet are asked for again", async () => {
    const executions = await executionsThat("ExecutionDoesNotExist", "RUNNING");
    expect(await executions.standing(ARN)).toBe("running");
    expect(waitedMs).toHaveLength(1);
  });

  it("that may not be asked for are no ended ones", async () => {
    const executions = await executionsThat("AccessDeniedException");
    await expect(executions.standing(ARN)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining(ARN),
    });
  });
});
