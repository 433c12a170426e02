import type { TrainingRecord } from "../contracts/training-record.ts";
import type { Sample } from "../core/samples/sample.ts";
import { readTrainingStep } from "../formats/training-state.ts";
import type { TrainOptions, TrainProgress } from "../ports/engine.ts";
import type { TokenizedModel } from "./open-model.ts";
import { type ReportScored, scoreTexts, totalLoss } from "./score-samples.ts";

export interface FineTuning extends Pick<TrainOptions, "epochs" | "training" | "seed"> {
  samples: readonly Sample[];
  /** scored before the first step, after each epoch and so at the end; none where empty */
  heldOut: readonly Sample[];
  /** what was saved before; null: begin at the beginning */
  resume: { record: TrainingRecord; state: Uint8Array } | null;
  checkpoint: TuningCheckpoint;
  /** once aborted, training is written down after the micro-batch under way, and ends with the signal's reason */
  signal: AbortSignal;
  /** told when training begins, and when it has put itself down or is over: meanwhile the signal is seen to here */
  onTraining(isTraining: boolean): void;
  onStep(progress: TrainProgress): void;
  onScored: ReportScored;
  onHeldOut(score: TrainingRecord["heldOut"][number]): void;
}

/** Where fine-tuning is written down while it goes on. */
export interface TuningCheckpoint {
  everyMs: number;
  /** monotonic */
  nowMs(): number;
  /** Training waits for it, and ends with its error where it fails. */
  save(record: TrainingRecord, state: Uint8Array): Promise<void>;
}

export interface TuningOutcome {
  steps: number;
  /** nats a token, of each epoch */
  lossByEpoch: number[];
  record: TrainingRecord;
}

/**
 * Fine-tunes a model on labels. The engine trains all epochs in one go; to score the held-out samples between two of them, it is
 * made to put itself down at the epoch's end and to go on from there, which changes no bit of what comes out.
 *
 * @throws InvalidInputError `CHECKPOINT_FOREIGN`, `CHECKPOINT_INVALID`, `TRAINING_DIVERGED`; what encoding a sample throws;
 *   the signal's reason
 */
export async function fineTune(open: TokenizedModel, tuning: FineTuning): Promise<TuningOutcome> {
  const { samples, heldOut, training, epochs, seed, checkpoint, signal } = tuning;
  const encoded = samples.map(open.encode);
  const stepsPerEpoch = Math.ceil(samples.length / training.batchSize);
  let state = tuning.resume?.state ?? null;
  const record = recordUpTo(tuning.resume?.record ?? { steps: [], heldOut: [] }, state);
  let savedMs = checkpoint.nowMs();

  const isUnscored = (step: number) =>
    heldOut.length > 0 && step % stepsPerEpoch === 0 && !record.heldOut.some((score) => score.step === step);
  const scoreHeldOut = async (step: number) => {
    const loss = totalLoss(await scoreTexts(open, heldOut, training.batchSize, tuning.onScored));
    const score = { epoch: step / stepsPerEpoch, step, ...loss };
    record.heldOut.push(score);
    tuning.onHeldOut(score);
  };

  if (state === null && isUnscored(0)) await scoreHeldOut(0);
  for (;;) {
    let step = 0;
    let epochEnd: { step: number; state: Uint8Array } | null = null;
    tuning.onTraining(true);
    try {
      const { steps, lossByEpoch } = await open.model.train({
        samples: encoded,
        lambda: 1,
        temperature: 1,
        epochs,
        training,
        seed,
        onProgress: (progress) => {
          record.steps.push({ step: progress.step, lossNats: progress.loss, learningRate: progress.learningRate });
          tuning.onStep(progress);
        },
        checkpoint: {
          resume: state,
          note: "",
          isDue: (done) => {
            step = done;
            return signal.aborted || isUnscored(done) || checkpoint.nowMs() - savedMs >= checkpoint.everyMs;
          },
          save: async (saved) => {
            await checkpoint.save(record, saved);
            savedMs = checkpoint.nowMs();
            signal.throwIfAborted();
            if (!isUnscored(step)) return;
            epochEnd = { step, state: saved };
            throw new Error("put down, to be scored");
          },
        },
      });
      return { steps, lossByEpoch, record };
    } catch (error) {
      signal.throwIfAborted();
      tuning.onTraining(false);
      const paused = epochEnd as { step: number; state: Uint8Array } | null;
      if (paused === null) throw error;
      await scoreHeldOut(paused.step);
      state = paused.state;
    }
  }
}

/** What was recorded up to the state: a process may have been killed after it had written down more than that. */
function recordUpTo({ steps, heldOut }: TrainingRecord, state: Uint8Array | null): TrainingRecord {
  const last = state === null ? 0 : readTrainingStep(state, "the training's checkpoint");
  return {
    steps: steps.filter(({ step }) => step <= last),
    heldOut: heldOut.filter(({ step }) => state !== null && step <= last),
  };
}
