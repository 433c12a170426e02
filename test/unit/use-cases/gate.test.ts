import { describe, expect, it } from "@jest/globals";
import { InvalidInputError, InvariantError } from "../../../shared/src/core/errors.ts";
import { judgeRound, scoreBeforeTraining } from "../../../shared/src/use-cases/gate.ts";
import type { RunningJob } from "../../../shared/src/use-cases/with-job.ts";

const validation = { samples: [], hash: "" };

/** A job whose model cannot be scored: that throws what is given. */
function unscorable(error: Error): RunningJob {
  const job = {
    deps: { progress: () => {} },
    plan: { spec: { gate: { tolerance: 1e3 } } },
    identity: { run: "toy", round: 1, stage: "server-distil", party: "server" },
    open: {
      party: "server",
      training: { batchSize: 1 },
      model: {
        score: () => {
          throw error;
        },
      },
      encodeScored: () => ({ answerBytes: 1 }),
    },
  };
  return job as unknown as RunningJob;
}

const NOT_FINITE = new InvalidInputError("MODEL_NOT_FINITE", "expected finite log-probabilities, got NaN");

describe("a model whose loss on the validation set is no finite number", () => {
  const some = { ...validation, samples: [{} as never] };

  it("is worse than any, whatever the tolerance: its round is undone, and no loss is told", async () => {
    expect(await judgeRound(unscorable(NOT_FINITE), some, 2)).toEqual({ validationBefore: 2, undone: 1 });
  });

  it("is refused where it has not been trained yet", async () => {
    await expect(scoreBeforeTraining(unscorable(NOT_FINITE), some)).rejects.toMatchObject({
      code: "MODEL_NOT_FINITE",
      message: expect.stringMatching(/^server: .* before it trains/),
    });
  });

  it("is not what other failures are taken for", async () => {
    for (const error of [
      new InvalidInputError("SAMPLE_INVALID", "a sample's tokens"),
      new InvariantError("ENGINE_FAILED", "the engine's thread failed"),
    ])
      await expect(judgeRound(unscorable(error), some, 2)).rejects.toBe(error);
  });
});
