import { expect, it } from "@jest/globals";
import { runMachine, TASKS, useSmallCloud } from "../../support/small-cloud.ts";

const cloud = useSmallCloud();

it("a service that refuses a Task state's call fails it under its own name, for Retry and Catch to match on", async () => {
  const caught = (resource: string, parameters: object, name: string) => ({
    StartAt: "Call",
    States: {
      Call: {
        Type: "Task",
        Resource: `${TASKS}${resource}`,
        Parameters: parameters,
        Catch: [{ ErrorEquals: [name], Next: "Caught" }],
        End: true,
      },
      Caught: { Type: "Pass", End: true },
    },
  });
  const token = { "token.$": "$$.Task.Token" };
  const machines = {
    "ECS.ClientException": caught("ecs:runTask.waitForTaskToken", { TaskDefinition: "none" }, "ECS.ClientException"),
    "SQS.QueueDoesNotExistException": caught(
      "sqs:sendMessage.waitForTaskToken",
      { "QueueUrl.$": "$.queue", MessageBody: token },
      "SQS.QueueDoesNotExistException",
    ),
    "Lambda.ResourceNotFoundException": caught(
      "lambda:invoke",
      { FunctionName: "none" },
      "Lambda.ResourceNotFoundException",
    ),
    "StepFunctions.StateMachineDoesNotExistException": caught(
      "states:startExecution.sync:2",
      { StateMachineArn: "arn:aws:states:us-east-1:000000000000:stateMachine:none" },
      "StepFunctions.StateMachineDoesNotExistException",
    ),
  };
  const aws = await cloud.start({ machines });
  for (const name of Object.keys(machines)) {
    const queue = `${aws.endpoint}/000000000000/none`;
    const { status, output } = await runMachine(aws, { queue }, name);
    expect([name, status, output?.Error]).toEqual([name, "SUCCEEDED", name]);
  }
});
