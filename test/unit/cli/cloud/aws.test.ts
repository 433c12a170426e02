import { CloudFormationClient, type Stack, type StackEvent } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import { SFNClient } from "@aws-sdk/client-sfn";
import { describe, expect, it } from "@jest/globals";
import { AwsClusters } from "../../../../cli/src/cloud/aws-clusters.ts";
import { AwsLogs } from "../../../../cli/src/cloud/aws-logs.ts";
import { AwsMachines } from "../../../../cli/src/cloud/aws-machines.ts";
import { AwsStacks } from "../../../../cli/src/cloud/aws-stacks.ts";
import { cloudFailure } from "../../../../cli/src/cloud/cloud-failure.ts";

type Answers = Record<string, (input: never) => object>;

/** A client of the SDK that answers by the command's name, and notes what it was asked. */
function answering<C extends { send: unknown }>(client: C, answers: Answers): C & { asked: string[] } {
  const asked: string[] = [];
  const send = async (command: { constructor: { name: string }; input: never }) => {
    const { name } = command.constructor;
    asked.push(name);
    const answer = answers[name];
    if (answer === undefined) throw new Error(`no answer to ${name}`);
    return answer(command.input);
  };
  return Object.assign(client, { send, asked });
}

const REGION = { region: "eu-central-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } };

function sdkError(name: string, message: string, httpStatusCode: number): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
}

describe("what AWS refuses", () => {
  it.each([
    ["CredentialsProviderError", undefined, "CREDENTIALS_MISSING", "expected AWS credentials"],
    ["ExpiredTokenException", 403, "CREDENTIALS_REFUSED", "sign in again"],
    ["AccessDeniedException", 400, "ACCESS_DENIED", "these credentials may not do states:StartExecution on the-run"],
    [
      "ValidationException",
      400,
      "REQUEST_REFUSED",
      "states:StartExecution on the-run was refused (ValidationException: no)",
    ],
    ["ThrottlingException", 400, "AWS_UNAVAILABLE", "states:StartExecution on the-run"],
    ["TimeoutError", undefined, "AWS_UNAVAILABLE", "TimeoutError: no"],
  ])("%s is told as one sentence with its code", (name, status, code, message) => {
    const failure = cloudFailure("states:StartExecution", "the-run", sdkError(name, "no", status as number));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(failure.message).not.toContain("\n");
  });
});

describe("stacks", () => {
  /** A stack whose change ends after two looks. */
  function stackClient(
    end: string,
    {
      exists = false,
      reasons = [] as StackEvent[],
      error = null as Error | null,
      onCreate = (_input: object): unknown => undefined,
    } = {},
  ) {
    let looks = 0;
    let changing = false;
    const stack = (StackStatus: string): { Stacks: Stack[] } => ({
      Stacks: [
        { StackName: "s", StackId: "id", CreationTime: undefined, StackStatus: StackStatus as Stack["StackStatus"] },
      ],
    });
    const change = () => {
      if (error) throw error;
      changing = true;
      return {};
    };
    return answering(new CloudFormationClient(REGION), {
      DescribeStacksCommand: () => {
        if (!changing) {
          if (!exists) throw sdkError("ValidationError", "Stack with id s does not exist", 400);
          return stack("UPDATE_COMPLETE");
        }
        return stack(++looks < 3 ? "UPDATE_IN_PROGRESS" : end);
      },
      DescribeStackEventsCommand: () => ({ StackEvents: changing && looks >= 2 ? reasons : [] }),
      CreateStackCommand: (input) => {
        onCreate(input);
        return change();
      },
      UpdateStackCommand: change,
      DeleteStackCommand: change,
    });
  }
  const change = (lines: string[] = []) => ({
    name: "s",
    template: "{}",
    parameters: { Client: "ward" },
    tags: {},
    onProgress: (line: string) => lines.push(line),
  });
  const event = (EventId: string, ResourceStatus: string, ResourceStatusReason = ""): StackEvent =>
    ({
      EventId,
      ResourceStatus,
      ResourceStatusReason,
      ResourceType: "AWS::SQS::Queue",
      LogicalResourceId: "Jobs",
    }) as StackEvent;

  it("are made, or changed, and waited for, each step told once", async () => {
    const lines: string[] = [];
    const reasons = [event("2", "CREATE_COMPLETE"), event("1", "CREATE_IN_PROGRESS")];
    const made = stackClient("CREATE_COMPLETE", { reasons });
    expect(await new AwsStacks(made, async () => {}).apply(change(lines))).toBe("created");
    expect(lines).toEqual(["CREATE_COMPLETE AWS::SQS::Queue Jobs"]);
    expect(made.asked).toContain("CreateStackCommand");
    const changed = stackClient("UPDATE_COMPLETE", { exists: true });
    expect(await new AwsStacks(changed, async () => {}).apply(change())).toBe("updated");
    expect(changed.asked).not.toContain("CreateStackCommand");
  });

  it("leave nothing of a first attempt that fails, neither what a template would keep", async () => {
    const inputs: object[] = [];
    const client = stackClient("CREATE_COMPLETE", { onCreate: (input) => inputs.push(input) });
    await new AwsStacks(client, async () => {}).apply(change());
    expect(inputs).toMatchObject([{ OnFailure: "DELETE", RetainExceptOnCreate: true }]);
  });

  it("that need no change are left", async () => {
    const error = sdkError("ValidationError", "No updates are to be performed.", 400);
    const client = stackClient("UPDATE_COMPLETE", { exists: true, error });
    expect(await new AwsStacks(client, async () => {}).apply(change())).toBe("unchanged");
  });

  it("that fail are told with CloudFormation's reasons", async () => {
    const reasons = [event("1", "CREATE_FAILED", "the queue exists already")];
    const client = stackClient("ROLLBACK_COMPLETE", { reasons });
    await expect(new AwsStacks(client, async () => {}).apply(change())).rejects.toMatchObject({
      code: "STACK_FAILED",
      message: expect.stringContaining(
        "got ROLLBACK_COMPLETE: CREATE_FAILED AWS::SQS::Queue Jobs: the queue exists already",
      ),
    });
  });

  it("are not begun with a template that CloudFormation would refuse", async () => {
    const client = stackClient("CREATE_COMPLETE");
    const template = " ".repeat(51_201);
    await expect(new AwsStacks(client, async () => {}).apply({ ...change(), template })).rejects.toThrow(
      "at most 51200",
    );
    expect(client.asked).toEqual([]);
  });

  it("that are gone need no removal", async () => {
    const client = stackClient("DELETE_COMPLETE");
    await new AwsStacks(client, async () => {}).remove("s", () => {});
    expect(client.asked).toEqual(["DescribeStacksCommand"]);
    const there = stackClient("DELETE_COMPLETE", { exists: true });
    await new AwsStacks(there, async () => {}).remove("s", () => {});
    expect(there.asked).toContain("DeleteStackCommand");
  });
});

describe("machines and logs", () => {
  it("leave an execution alone that has ended, and know none that is gone", async () => {
    const ended = { status: "SUCCEEDED", startDate: new Date(1000), stopDate: new Date(2000), input: "{}" };
    const client = answering(new SFNClient(REGION), { DescribeExecutionCommand: () => ended });
    const machines = new AwsMachines(client, (name) => name);
    await machines.stop("e", "Stopped", "by hand");
    expect(client.asked).toEqual(["DescribeExecutionCommand"]);
    expect(await machines.describe("e")).toEqual({
      id: "e",
      status: "SUCCEEDED",
      startedMs: 1000,
      stoppedMs: 2000,
      input: "{}",
    });
    const gone = answering(new SFNClient(REGION), {
      DescribeExecutionCommand: () => {
        throw sdkError("ExecutionDoesNotExist", "none", 400);
      },
    });
    expect(await new AwsMachines(gone, (name) => name).describe("e")).toBeNull();
  });

  it("find no execution and no machine of a deployment that is gone, or half gone", async () => {
    const gone = answering(new SFNClient(REGION), {
      ListExecutionsCommand: () => {
        throw sdkError("StateMachineDoesNotExist", "none", 400);
      },
    });
    expect(await new AwsMachines(gone, (name) => name).running("fedmkt-dev-run")).toEqual([]);
    const clusters = (found: object[]) =>
      new AwsClusters(answering(new ECSClient(REGION), { DescribeClustersCommand: () => ({ clusters: found }) }));
    expect(await clusters([]).countMachines("fedmkt-dev-workers")).toBe(0);
    expect(await clusters([{ registeredContainerInstancesCount: 2 }]).countMachines("fedmkt-dev-workers")).toBe(2);
  });

  it("take a log group that nobody has written to yet for an empty one, and split lines that came as one", async () => {
    const none = answering(new CloudWatchLogsClient(REGION), {
      FilterLogEventsCommand: () => {
        throw sdkError("ResourceNotFoundException", "no group", 400);
      },
    });
    expect(await new AwsLogs(none).read("g", "toy", 0)).toEqual([]);
    const inputs: object[] = [];
    const some = answering(new CloudWatchLogsClient(REGION), {
      FilterLogEventsCommand: (input) => {
        inputs.push(input);
        return {
          events: [
            { timestamp: 2, message: "a\nb\n" },
            { timestamp: 1, logStreamName: "s", message: "c" },
          ],
        };
      },
    });
    expect((await new AwsLogs(some).read("g", "toy", 5)).map(({ text }) => text)).toEqual(["c", "a", "b"]);
    expect(inputs[0]).toMatchObject({ logGroupName: "g", startTime: 5, filterPattern: '"toy"' });
  });
});
