import {
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  paginateDescribeStacks,
  type Stack,
  type StackEvent,
  UpdateStackCommand,
} from "@aws-sdk/client-cloudformation";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { CloudStack, CloudStacks, StackChange } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

/** CloudFormation takes no longer template in a request. */
const MAX_TEMPLATE_BYTES = 51_200;
const NOTHING_CHANGES = /No updates are to be performed/i;
/** What a first attempt that failed leaves behind: it can only be deleted. */
const DEAD = new Set(["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"]);

/** CloudFormation's stacks of one account and region. */
export class AwsStacks implements CloudStacks {
  readonly #client: CloudFormationClient;
  readonly #wait: () => Promise<void>;

  /** @param wait - between two looks at a stack that changes */
  constructor(client: CloudFormationClient, wait: () => Promise<void>) {
    this.#client = client;
    this.#wait = wait;
  }

  async describe(name: string): Promise<CloudStack | null> {
    const stack = await this.#find(name);
    return stack === null || stack.StackStatus === "DELETE_COMPLETE" ? null : toCloudStack(stack);
  }

  async list(prefix: string): Promise<CloudStack[]> {
    return attempt("cloudformation:DescribeStacks", `${prefix}*`, async () => {
      const found: CloudStack[] = [];
      for await (const { Stacks = [] } of paginateDescribeStacks({ client: this.#client }, {}))
        for (const stack of Stacks)
          if (stack.StackName!.startsWith(prefix) && stack.StackStatus !== "DELETE_COMPLETE")
            found.push(toCloudStack(stack));
      return found.sort((left, right) => (left.name < right.name ? -1 : 1));
    });
  }

  async apply({
    name,
    template,
    parameters,
    tags,
    onProgress,
  }: StackChange): Promise<"created" | "updated" | "unchanged"> {
    const bytes = Buffer.byteLength(template);
    if (bytes > MAX_TEMPLATE_BYTES)
      throw new InvalidInputError(
        "STACK_FAILED",
        `${name}: expected a template of at most ${MAX_TEMPLATE_BYTES} bytes, got ${bytes}`,
      );
    const before = await this.#find(name);
    const dead = before !== null && DEAD.has(before.StackStatus!);
    if (dead) await this.remove(name, onProgress);
    const isNew = before === null || dead || before.StackStatus === "DELETE_COMPLETE";
    const seen = new Set(isNew ? [] : (await this.#events(name)).map(({ EventId }) => EventId));
    const change = {
      StackName: name,
      TemplateBody: template,
      Capabilities: ["CAPABILITY_NAMED_IAM" as const],
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    };
    if (isNew)
      await attempt("cloudformation:CreateStack", name, () =>
        // what is kept when a stack goes is kept for what is in it: a first attempt that failed leaves nothing
        this.#client.send(new CreateStackCommand({ ...change, OnFailure: "DELETE", RetainExceptOnCreate: true })),
      );
    else {
      try {
        await this.#client.send(new UpdateStackCommand(change));
      } catch (error) {
        if (NOTHING_CHANGES.test((error as Error).message)) return "unchanged";
        await attempt("cloudformation:UpdateStack", name, () => Promise.reject(error));
      }
    }
    await this.#settle(name, seen, onProgress, isNew ? "CREATE_COMPLETE" : "UPDATE_COMPLETE");
    return isNew ? "created" : "updated";
  }

  async remove(name: string, onProgress: (line: string) => void): Promise<void> {
    const stack = await this.#find(name);
    if (stack === null || stack.StackStatus === "DELETE_COMPLETE") return;
    const seen = new Set((await this.#events(name)).map(({ EventId }) => EventId));
    await attempt("cloudformation:DeleteStack", name, () =>
      this.#client.send(new DeleteStackCommand({ StackName: name })),
    );
    // by its id: a stack that is gone is found no more by its name
    await this.#settle(stack.StackId!, seen, onProgress, "DELETE_COMPLETE");
  }

  /** Watches a change until it has ended, telling what is done. */
  async #settle(
    name: string,
    seen: Set<string | undefined>,
    onProgress: (line: string) => void,
    expected: string,
  ): Promise<void> {
    const reasons: string[] = [];
    for (;;) {
      const stack = await this.#find(name);
      for (const event of (await this.#events(name)).filter(({ EventId }) => !seen.has(EventId)).reverse()) {
        seen.add(event.EventId);
        const line = describeEvent(event);
        if (line !== null) onProgress(line);
        if (event.ResourceStatus?.endsWith("_FAILED") && line !== null) reasons.push(line);
      }
      const status = stack?.StackStatus ?? "DELETE_COMPLETE";
      // UPDATE_COMPLETE_CLEANUP_IN_PROGRESS is an update that is as good as done, but no other may begin yet
      if (!status.endsWith("_IN_PROGRESS")) {
        if (status === expected) return;
        const why = reasons.length > 0 ? reasons.join("; ") : (stack?.StackStatusReason ?? "no reason was given");
        throw new InvalidInputError("STACK_FAILED", `stack ${name}: expected ${expected}, got ${status}: ${why}`);
      }
      await this.#wait();
    }
  }

  async #find(name: string): Promise<Stack | null> {
    return attempt("cloudformation:DescribeStacks", name, async () => {
      try {
        const { Stacks } = await this.#client.send(new DescribeStacksCommand({ StackName: name }));
        return Stacks?.[0] ?? null;
      } catch (error) {
        if (/does not exist/i.test((error as Error).message)) return null;
        throw error;
      }
    });
  }

  /** The last hundred, newest first; none of a stack that is gone. */
  async #events(name: string): Promise<StackEvent[]> {
    return attempt("cloudformation:DescribeStackEvents", name, async () => {
      try {
        return (await this.#client.send(new DescribeStackEventsCommand({ StackName: name }))).StackEvents ?? [];
      } catch (error) {
        if (/does not exist/i.test((error as Error).message)) return [];
        throw error;
      }
    });
  }
}

function describeEvent({
  ResourceStatus,
  ResourceType,
  LogicalResourceId,
  ResourceStatusReason,
}: StackEvent): string | null {
  if (ResourceStatus === undefined || ResourceStatus.endsWith("_IN_PROGRESS")) return null;
  const reason = !ResourceStatusReason ? "" : `: ${ResourceStatusReason}`;
  return `${ResourceStatus} ${ResourceType} ${LogicalResourceId}${reason}`;
}

function toCloudStack({ StackName, StackStatus, Outputs = [], Parameters = [] }: Stack): CloudStack {
  return {
    name: StackName!,
    status: StackStatus!,
    outputs: Object.fromEntries(Outputs.map(({ OutputKey, OutputValue }) => [OutputKey!, OutputValue!])),
    parameters: Object.fromEntries(
      Parameters.map(({ ParameterKey, ParameterValue }) => [ParameterKey!, ParameterValue!]),
    ),
  };
}
