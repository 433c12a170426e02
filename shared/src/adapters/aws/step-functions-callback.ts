import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  type SFNClientConfig,
} from "@aws-sdk/client-sfn";
import type { TaskCallback } from "../../ports/task-callback.ts";
import { awsFailure } from "./aws-failure.ts";

/** Step Functions' own limits for an error's name and cause. */
const MAX_ERROR_CHARACTERS = 256;
const MAX_CAUSE_CHARACTERS = 32_768;

/** A state may hand its token out a moment before it waits for it; until then the token counts as early, not as gone. */
const TOKEN_GRACE_MS = 5_000;

/** What Step Functions answers once nobody waits for a token any more. */
const GONE = new Set(["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"]);

export function stepFunctionsClient(config: SFNClientConfig = {}): SFNClient {
  return new SFNClient(config);
}

/**
 * Task tokens of Step Functions. An answer that comes after the state has given up is dropped: its outputs lie in S3 under
 * their own keys, where the state's next try finds them.
 */
export class StepFunctionsCallback implements TaskCallback {
  readonly #client: SFNClient;
  readonly #now: () => number;
  /** when each open token was first heard of here: a warm function serves many, one after another */
  readonly #firstUsedMs = new Map<string, number>();

  /** @param now - milliseconds, monotonic; a token's grace is counted from its first heartbeat */
  constructor(client: SFNClient, now: () => number = () => performance.now()) {
    this.#client = client;
    this.#now = now;
  }

  async succeed(token: string, output: unknown): Promise<void> {
    await this.#answer(token, () =>
      this.#client.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(output) })),
    );
  }

  async fail(token: string, error: { name: string; cause: string }): Promise<void> {
    await this.#answer(token, () =>
      this.#client.send(
        new SendTaskFailureCommand({
          taskToken: token,
          error: error.name.slice(0, MAX_ERROR_CHARACTERS),
          cause: error.cause.slice(0, MAX_CAUSE_CHARACTERS),
        }),
      ),
    );
  }

  async heartbeat(token: string): Promise<"waiting" | "gone"> {
    const firstMs = this.#firstUsedMs.get(token) ?? this.#now();
    this.#firstUsedMs.set(token, firstMs);
    try {
      await this.#client.send(new SendTaskHeartbeatCommand({ taskToken: token }));
      return "waiting";
    } catch (cause) {
      const { name } = cause as Error;
      if (name === "InvalidToken" && this.#now() - firstMs < TOKEN_GRACE_MS) return "waiting";
      if (GONE.has(name)) {
        this.#firstUsedMs.delete(token);
        return "gone";
      }
      throw awsFailure("states:SendTaskHeartbeat", cause);
    }
  }

  async #answer(token: string, send: () => Promise<unknown>): Promise<void> {
    try {
      await send();
    } catch (cause) {
      if (!GONE.has((cause as Error).name)) throw awsFailure("states:SendTaskSuccess or SendTaskFailure", cause);
    }
    this.#firstUsedMs.delete(token);
  }
}
