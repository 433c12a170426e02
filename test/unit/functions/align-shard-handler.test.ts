import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import type { SQSEvent } from "aws-lambda";
import type { StageInput } from "../../../shared/src/contracts/stages.ts";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import type { MessageQueue } from "../../../shared/src/ports/message-queue.ts";
import { createAlignShardHandler } from "../../../shared/src/runtime/create-align-shard-handler.ts";
import { createFailTaskHandler } from "../../../shared/src/runtime/create-fail-task-handler.ts";
import { lambdaContext } from "../../support/lambda-context.ts";
import { RecordingCallback } from "../../support/recording-callback.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const eventOf = (file: string): SQSEvent =>
  JSON.parse(readFileSync(new URL(`../../../events/${file}.json`, import.meta.url), "utf8"));
const tokenOf = (event: SQSEvent, index: number): string => JSON.parse(event.Records[index].body).taskToken;

/** Writes down which messages were handed back, and for how long. */
class RecordingQueue implements MessageQueue {
  readonly returned: { queueArn: string; receiptHandle: string; delaySeconds: number }[] = [];

  async comeAgain(message: { queueArn: string; receiptHandle: string }, delaySeconds: number): Promise<void> {
    this.returned.push({ ...message, delaySeconds });
  }
}

type Align = (input: StageInput<"align-shard">) => Promise<{ manifest: string }>;

function prepare(align: Align) {
  const callback = new RecordingCallback();
  const inputs: StageInput<"align-shard">[] = [];
  const useCase = () => async (input: StageInput<"align-shard">) => {
    inputs.push(input);
    return align(input);
  };
  const queue = new RecordingQueue();
  const handler = createAlignShardHandler(useCase, {}, { callback, queue }, new RecordingLogger() as never);
  return { callback, queue, inputs, handler };
}

const aligned: Align = async ({ shard }) => ({ manifest: `aligned/${shard}/manifest.json` });

const down: Align = async () => {
  throw new TransientError("AWS_UNAVAILABLE", "s3://a/b: SlowDown");
};

describe("the handler of the shard queue", () => {
  it("aligns the shard of the event that SQS sends and answers its token", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, callback, inputs } = prepare(aligned);
    expect(await handler(event, lambdaContext)).toEqual({ batchItemFailures: [] });
    expect(inputs).toEqual([{ run: "harbour-and-forest", round: 1, source: "harbour", target: "server", shard: 0 }]);
    expect(callback.answers).toEqual([{ token: tokenOf(event, 0), output: { manifest: "aligned/0/manifest.json" } }]);
  });

  it("sends a heartbeat before it begins", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, callback } = prepare(aligned);
    await handler(event, lambdaContext);
    expect(callback.beats).toEqual([tokenOf(event, 0)]);
  });

  it("gives a shard back to the queue on a TransientError, and only that one", async () => {
    const event = eventOf("align-shard/two-shards");
    const { handler, callback } = prepare(async (input) => {
      if (input.shard === 1) throw new TransientError("AWS_UNAVAILABLE", "s3://a/b: SlowDown");
      return aligned(input);
    });
    expect(await handler(event, lambdaContext)).toEqual({
      batchItemFailures: [{ itemIdentifier: event.Records[1].messageId }],
    });
    expect(callback.answers.map(({ token }) => token)).toEqual([tokenOf(event, 0)]);
  });

  it.each([
    ["1", 5],
    ["2", 10],
    ["4", 40],
    ["9", 300],
  ])(
    "lets a shard of delivery %s come again after %d s instead of the queue's minutes",
    async (receives, delaySeconds) => {
      const event = eventOf("align-shard/one-shard");
      event.Records[0].attributes.ApproximateReceiveCount = receives;
      const { handler, queue } = prepare(down);
      await handler(event, lambdaContext);
      const [{ eventSourceARN: queueArn, receiptHandle }] = event.Records;
      expect(queue.returned).toEqual([{ queueArn, receiptHandle, delaySeconds }]);
    },
  );

  it("gives a shard back all the same where it cannot be hastened", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, queue } = prepare(down);
    queue.comeAgain = async () => {
      throw new TransientError("AWS_UNAVAILABLE", "sqs: connection reset");
    };
    const { batchItemFailures } = await handler(event, lambdaContext);
    expect(batchItemFailures).toEqual([{ itemIdentifier: event.Records[0].messageId }]);
  });

  it("hands nothing back that is done or fails for good", async () => {
    const { handler, queue } = prepare(aligned);
    await handler(eventOf("align-shard/poisoned"), lambdaContext);
    expect(queue.returned).toEqual([]);
  });

  it("fails the token and consumes the message on an InvalidInputError", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, callback } = prepare(async () => {
      throw new InvalidInputError("SHARD_NOT_FINITE", "client harbour, shard 0, position 12: NaN");
    });
    expect(await handler(event, lambdaContext)).toEqual({ batchItemFailures: [] });
    expect(callback.answers).toEqual([
      {
        token: tokenOf(event, 0),
        error: { name: "InvalidInputError", cause: "client harbour, shard 0, position 12: NaN" },
      },
    ]);
  });

  it("fails the token with an InvariantError on a bug of ours", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, callback } = prepare(async () => {
      throw new RangeError("offset is out of bounds");
    });
    await handler(event, lambdaContext);
    expect(callback.answers).toEqual([
      {
        token: tokenOf(event, 0),
        error: { name: "InvariantError", cause: "align-shard: RangeError: offset is out of bounds" },
      },
    ]);
  });

  it("does nothing for a token that nobody waits for, and consumes the message", async () => {
    const event = eventOf("align-shard/one-shard");
    const { handler, callback, inputs } = prepare(aligned);
    callback.gone.add(tokenOf(event, 0));
    expect(await handler(event, lambdaContext)).toEqual({ batchItemFailures: [] });
    expect(inputs).toEqual([]);
    expect(callback.answers).toEqual([]);
  });

  it("does the good shard beside poisoned messages, which go back to become dead letters", async () => {
    const event = eventOf("align-shard/poisoned");
    const { handler, callback } = prepare(aligned);
    expect(await handler(event, lambdaContext)).toEqual({
      batchItemFailures: event.Records.slice(1).map(({ messageId }) => ({ itemIdentifier: messageId })),
    });
    expect(callback.answers).toHaveLength(1);
  });

  it("reports a batch of nothing but failures instead of throwing", async () => {
    const event = eventOf("align-shard/two-shards");
    const { handler } = prepare(down);
    const { batchItemFailures } = await handler(event, lambdaContext);
    expect(batchItemFailures).toHaveLength(2);
  });
});

describe("the handler of dead letters", () => {
  it("fails the token of a job that no delivery to its site could finish", async () => {
    const event = eventOf("fail-task/dead-job");
    const callback = new RecordingCallback();
    const handler = createFailTaskHandler(callback, new RecordingLogger() as never);
    expect(await handler(event, lambdaContext)).toEqual({ batchItemFailures: [] });
    expect(callback.answers).toEqual([
      {
        token: tokenOf(event, 0),
        error: {
          name: "InvariantError",
          cause: expect.stringMatching(/\(run harbour-and-forest, round 2, stage client-train, party harbour\)/),
        },
      },
    ]);
  });

  it("fails the token of a shard that was given up, so that its round does not wait for a time-out", async () => {
    const event = eventOf("fail-task/dead-letters");
    const callback = new RecordingCallback();
    const logger = new RecordingLogger();
    const handler = createFailTaskHandler(callback, logger as never);
    expect(await handler(event, lambdaContext)).toEqual({ batchItemFailures: [] });
    expect(callback.answers).toEqual([
      {
        token: tokenOf(event, 0),
        error: {
          name: "InvariantError",
          cause: expect.stringMatching(/message 059f36b4-\S+ \(run harbour-and-forest, round 0, shard -4\)/),
        },
      },
    ]);
    expect(logger.lines.map(({ message }) => message).sort()).toEqual(["dead letter without a token", "task given up"]);
  });
});
