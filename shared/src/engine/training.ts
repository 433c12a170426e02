import { InvalidInputError } from "../core/errors.ts";
import { createRandom } from "../core/numeric/random.ts";
import { answerPositions, learnedPositions } from "../core/samples/answer-positions.ts";
import type { SampleTarget, TrainProgress } from "../ports/engine.ts";
import { chunksFor, tokensReadFor } from "./batch.ts";
import { batchesByLength } from "./batches-by-length.ts";
import { knowledgeFeeds, knowledgeKind, partitionsFeed } from "./knowledge-feeds.ts";
import { createMaskFeeds } from "./lora-dropout.ts";
import { clipByGlobalNorm, createAdamW } from "./optimizer/adamw.ts";
import { createSchedule } from "./optimizer/schedule.ts";
import type { HostTensor } from "./session.ts";
import type { Trainee, TrainInput, TrainingRecord } from "./trainee.ts";
import { openCourse } from "./training-course.ts";

/**
 * Trains over all epochs with a fresh optimizer and schedule. A step's loss is λ·CE, averaged over the step's answer tokens,
 * plus (1 − λ)·KD, averaged over the aligned positions of the step's selected samples, or summed there and divided by the step's answer
 * tokens (`knowledgeMean: all`), whatever the micro-batches. The last
 * batch of an epoch may be smaller.
 *
 * @param record - null: training is not written down, and begins at the beginning
 * @returns the number of steps, and each epoch's mean step loss, weighted by the steps' answer tokens: at λ = 1 exactly the
 *   mean over the epoch's answer tokens
 * @throws InvalidInputError `TRAINING_DIVERGED`; `CHECKPOINT_FOREIGN`, `CHECKPOINT_INVALID`
 */
export async function train(
  trainee: Trainee,
  options: TrainInput,
  onProgress: (progress: TrainProgress) => void,
  record: TrainingRecord | null = null,
): Promise<{ steps: number; lossByEpoch: number[] }> {
  const { samples, training, epochs } = options;
  const stepsPerEpoch = Math.ceil(samples.length / training.batchSize);
  const steps = stepsPerEpoch * epochs;
  if (steps === 0) return { steps, lossByEpoch: [] };
  const course = openCourse(trainee, options, stepsPerEpoch, record);
  const { moments, lossByEpoch, sums } = course;
  const runStep = await createStep(trainee, options, course.pause);
  const update = createAdamW(training, moments);
  const rate = createSchedule(training.schedule, training.learningRate, steps, training.warmupRatio);
  const random = createRandom(options.seed);
  const order = samples.map((_, index) => index);
  for (let epoch = 0; epoch < epochs; epoch++) {
    random.shuffle(order); // of epochs that are done too: each order comes from the one before
    if (epoch < lossByEpoch.length) continue;
    const done = moments.step - epoch * stepsPerEpoch;
    for (let begin = done * training.batchSize; begin < order.length; begin += training.batchSize) {
      const started = performance.now();
      const learningRate = rate(moments.step);
      const result = await runStep(order.slice(begin, begin + training.batchSize), moments.step);
      const norm = clipByGlobalNorm(result.gradient, training.clipNorm ?? Number.POSITIVE_INFINITY);
      const step = moments.step + 1;
      if (!Number.isFinite(result.loss) || !Number.isFinite(norm))
        throw new InvalidInputError(
          "TRAINING_DIVERGED",
          `step ${step} of ${steps}: expected a finite loss and gradient, got loss ${result.loss} and gradient norm ${norm}: is the learning rate (${training.learningRate}) too high, or are the model's weights broken?`,
        );
      update(trainee.values, result.gradient, learningRate);
      sums.weightedLoss += result.loss * result.answers;
      sums.answers += result.answers;
      if (begin + training.batchSize >= order.length) course.endEpoch();
      const seconds = (performance.now() - started) / 1000;
      onProgress({ step, steps, loss: result.loss, learningRate, tokensPerSecond: result.tokens / seconds });
    }
  }
  // no step sees what the last update did
  const broken = trainee.values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0)
    throw new InvalidInputError(
      "TRAINING_DIVERGED",
      `after step ${steps} of ${steps}: expected finite weights, got ${trainee.values[broken]}: is the learning rate (${training.learningRate}) too high?`,
    );
  await course.pause();
  return { steps, lossByEpoch };
}

interface StepResult {
  loss: number;
  /** of the bank's whole vector */
  gradient: Float32Array;
  answers: number;
  tokens: number;
}

/**
 * Makes the function that runs one optimizer step's micro-batches and adds their gradients up. Samples of near lengths share a
 * micro-batch: the step is a sum over its samples, so which of them come together changes its rounding only.
 * @param pause - awaited before each micro-batch
 */
export async function createStep(
  trainee: Trainee,
  options: TrainInput,
  pause: () => Promise<void> = async () => {},
): Promise<(samples: readonly number[], step: number) => Promise<StepResult>> {
  const { samples, targets, partitions = [], lambda, temperature, knowledgeMean = "taught", training } = options;
  const knowledge = knowledgeKind(targets);
  const microBatchSize = training.microBatchSize ?? training.batchSize;
  const answersOf = samples.map((sample) => answerPositions(sample).length);
  const rowsOf = samples.map((sample, index) => learnedPositions(sample, targets?.[index]?.positions ?? NOWHERE));
  const most = rowsOf
    .map(({ length }) => length)
    .sort((a, b) => b - a)
    .slice(0, microBatchSize);
  const chunks = chunksFor(total(most), trainee.vocabularySize);
  const longest = rowsOf.reduce((tokens, rows) => Math.max(tokens, tokensReadFor(rows)), 1);
  const largest = { batch: Math.min(microBatchSize, samples.length), tokens: longest };
  const session = await trainee.session({ knowledge, temperature, chunks }, largest, training.activationCheckpointing);
  const trainable: HostTensor = { data: trainee.values, shape: [trainee.values.length] };
  const shared: Record<string, HostTensor> =
    knowledge === "group" || knowledge === "mixed"
      ? { trainable, partitions: partitionsFeed(partitions, trainee.vocabularySize) }
      : { trainable };

  const masks = trainee.dropout ? createMaskFeeds(trainee.dropout, options.seed) : null;

  return async (chosen, step) => {
    const answers = total(chosen.map((index) => answersOf[index]));
    const aligned = total(chosen.map((index) => targets?.[index]?.positions.length ?? 0));
    const lengths = chosen.map((index) => tokensReadFor(rowsOf[index]));
    let loss = 0;
    let gradient: Float32Array | null = null;
    for (const microBatch of batchesByLength(lengths, microBatchSize)) {
      await pause();
      trainee.checkGoingOn();
      const indices = microBatch.map((place) => chosen[place]);
      const ofBatch = indices.map((index) => samples[index]);
      const batch = trainee.pack(ofBatch, chunks, { rows: indices.map((index) => rowsOf[index]) });
      if (batch.positions === 0) continue;
      const labelWeights = Float32Array.from(batch.answers, (isAnswer) => (isAnswer ? lambda / answers : 0));
      const feeds: Record<string, HostTensor> = {
        ...batch.feeds,
        ...shared,
        labels: { data: batch.labels, shape: [batch.padded] },
        labelWeights: { data: labelWeights, shape: [batch.padded] },
      };
      if (masks) {
        const shown = microBatch.map((place) => ({ index: chosen[place], tokens: lengths[place] }));
        Object.assign(feeds, masks(step, shown, batch.tokens));
      }
      if (knowledge !== "none") {
        const learned = indices.map((index): SampleTarget | null => targets?.[index] ?? null);
        const divisor = knowledgeMean === "all" ? answers : aligned;
        const weight = divisor === 0 ? 0 : (1 - lambda) / divisor;
        Object.assign(feeds, knowledgeFeeds(learned, batch, weight, knowledge));
      }
      const results = await session.run(feeds);
      loss += results.loss.data[0];
      gradient = sumInto(gradient, results.gradient.data as Float32Array);
    }
    return { loss, gradient: gradient ?? new Float32Array(trainee.values.length), answers, tokens: total(lengths) };
  };
}

const NOWHERE = new Int32Array(0);

/** The sum so far becomes the sum with another addend; the first addend is the sum itself, not a copy. */
function sumInto(sum: Float32Array | null, addend: Float32Array): Float32Array {
  if (!sum) return addend;
  for (let index = 0; index < sum.length; index++) sum[index] += addend[index];
  return sum;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
