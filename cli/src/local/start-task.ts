import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { EcsTasks } from "./ecs-tasks.ts";
import type { EdgeWorkers } from "./edge-workers.ts";
import type { Execution, RunningExecution } from "./executions.ts";
import type { LambdaFunctions } from "./lambda-functions.ts";
import { namedError, toError } from "./named-error.ts";
import type { StateMachines } from "./state-machines.ts";
import type { StartTask, TaskAttempt } from "./task-handlers.ts";

/** The services that Task states call, as optimised integrations. */
export function taskStarter(services: {
  functions: LambdaFunctions;
  tasks: EcsTasks;
  edge: EdgeWorkers;
  queues: SQSClient;
  machines: () => StateMachines;
}): StartTask {
  const { functions, tasks, edge, queues, machines } = services;

  async function sendMessage(queueUrl: string, body: unknown): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    try {
      const sent = await queues.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: text }));
      return { MessageId: sent.MessageId, MD5OfMessageBody: sent.MD5OfMessageBody };
    } catch (error) {
      // an answer of the service's has a fault, trouble on the way to it has none
      throw serviceError("SQS", "$fault" in toError(error) ? error : namedError("SdkClientException", String(error)));
    }
  }

  return async (attempt) => {
    const { service, parameters, begin } = attempt;
    switch (service) {
      case "lambda:invoke": {
        const payload = await functions.invoke(String(parameters.FunctionName), parameters.Payload ?? {}, attempt);
        return { ExecutedVersion: "$LATEST", Payload: payload, StatusCode: 200 };
      }
      case "sqs:sendMessage": {
        const { QueueUrl, MessageBody } = parameters;
        const url = String(QueueUrl);
        if (edge.serves(url)) return edge.send(url, attempt, () => sendMessage(url, MessageBody));
        begin();
        return sendMessage(url, MessageBody);
      }
      case "ecs:runTask":
        return tasks.run(attempt);
      case "states:startExecution":
        begin();
        return startExecution(attempt, machines());
      default:
        if (/^arn:aws[^:]*:lambda:/.test(service)) return functions.invoke(service, parameters, attempt);
        throw namedError("States.Runtime", `${attempt.stateName}: the integration ${service} is not served locally`);
    }
  };
}

/** `.sync:2` gives the child's description with its output parsed; a failed child is `States.TaskFailed`, described in the cause. */
async function startExecution({ parameters, pattern, signal }: TaskAttempt, machines: StateMachines): Promise<unknown> {
  const name = parameters.Name === undefined ? undefined : String(parameters.Name);
  let child: RunningExecution;
  try {
    child = machines.start(String(parameters.StateMachineArn), parameters.Input ?? {}, name);
  } catch (error) {
    throw serviceError("StepFunctions", error);
  }
  const { executionArn, startDate } = child.description;
  if (pattern !== "sync") return { ExecutionArn: executionArn, StartDate: startDate };
  const stop = () => child.stop("States.TaskFailed", "the parent no longer waits");
  signal.addEventListener("abort", stop, { once: true });
  const ended = await child.ended;
  signal.removeEventListener("abort", stop);
  if (ended.status !== "SUCCEEDED") throw namedError("States.TaskFailed", JSON.stringify(described(ended)));
  return { ...described(ended), Output: JSON.parse(ended.output!) };
}

/** The name that a Task state fails with where the service itself refused: `SQS.QueueDoesNotExistException`. */
function serviceError(service: string, thrown: unknown): Error {
  const { name, message } = toError(thrown);
  return namedError(`${service}.${name.endsWith("Exception") ? name : `${name}Exception`}`, message);
}

/** An execution with the capitalised member names of the integration; milliseconds for dates. */
function described(execution: Execution): Record<string, unknown> {
  const { executionArn, stateMachineArn, name, status, startDate, stopDate, input, output, error, cause } = execution;
  return {
    ...(cause !== undefined && { Cause: cause }),
    ...(error !== undefined && { Error: error }),
    ExecutionArn: executionArn,
    Input: input,
    InputDetails: { Included: true },
    Name: name,
    ...(output !== undefined && { Output: output, OutputDetails: { Included: true } }),
    StartDate: Math.round(startDate * 1000),
    StateMachineArn: stateMachineArn,
    Status: status,
    ...(stopDate !== undefined && { StopDate: Math.round(stopDate * 1000) }),
  };
}
