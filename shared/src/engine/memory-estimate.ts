import type { OpenModel } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { chunksFor } from "./batch.ts";
import type { LinearSpec } from "./layers/layer-context.ts";
import { adaptedLinears } from "./lora-bank.ts";

/** What a model is trained with, as far as its memory and its arithmetic depend on it. */
export interface EstimateSettings {
  /** null: every weight is trained */
  lora: OpenModel["lora"];
  /** samples of a micro-batch */
  batch: number;
  /** of the longest sample */
  tokens: number;
  /** whether blocks are computed once more in the backward pass */
  checkpointing: boolean;
  /** of the positions, those that are trained, at which alone the head is computed; 1 unless given */
  headShare?: number;
}

/** Resident bytes of a process that trains, where it needs most. */
export interface MemoryEstimate {
  /** the program itself, with the graph of the model */
  process: number;
  weights: number;
  /** what the blocks' backward passes need of their forward passes, and the masks of attention */
  activations: number;
  /** logits and what is made of them, of as many positions as are taken at once */
  head: number;
  /** trained values, gradients and AdamW's moments */
  optimizer: number;
  total: number;
}

export interface ModelEstimate {
  parameters: number;
  trainableParameters: number;
  /** of adapter_model.safetensors, without its header */
  adapterBytes: number;
  memory: MemoryEstimate;
  /** floating-point operations of a token of a full batch, two for a multiplication with its addition */
  flopsPerToken: { forward: number; training: number };
}

const FLOAT_BYTES = 4;
// Measured, as the peak of a process that trains; docs/engine.md has the figures.

/** Node, the program's sources, ONNX Runtime and the engine's thread: what a model of one small block takes. */
const PROCESS_BYTES = 155e6;
/** A block's nodes, forward and backward, in ONNX Runtime. */
const GRAPH_BYTES_OF_BLOCK = 1e6;
/**
 * Values of [rows, V] that are alive at once in the loss: logits become exponentials and these the gradient where they lie.
 * Groups as knowledge, and a temperature, take some more.
 */
const HEAD_COPIES = 2;
/** Values of [heads, T, T] of each sample that one block's attention has beside what is kept: in the backward pass. */
const SCORE_COPIES = 3;
/**
 * Values, their parts in the graph, gradients: one by one, together, and as the graph gives them; two moments; and the sum over
 * micro-batches, or what is not collected yet.
 */
const TRAINED_COPIES = 9;

/** What training a model takes, from its shapes alone: nothing is opened or run. */
export function estimateModel(architecture: Architecture, settings: EstimateSettings): ModelEstimate {
  const { lora, batch, tokens, headShare = 1 } = settings;
  const parameters = architecture.weights.reduce((sum, { shape }) => sum + product(shape), 0);
  const adapted = lora ? adaptedLinears(architecture, lora) : [];
  const adapter = adapted.reduce((sum, linear) => sum + (lora?.rank ?? 0) * (linear.in + linear.out), 0);
  const trainable = lora ? adapter : parameters;
  const rows = batch * tokens;
  const positions = rows * headShare;
  const chunk = Math.ceil(positions / chunksFor(positions, architecture.vocabularySize));
  const memory = {
    process: PROCESS_BYTES + architecture.blocks * GRAPH_BYTES_OF_BLOCK,
    // 16-bit weights are widened once, in memory; trained ones are the optimizer's
    weights: lora ? FLOAT_BYTES * parameters : 0,
    // with dropout also what each adapter sees of its input, a byte an element
    activations:
      rows * (FLOAT_BYTES * activationsOfRow(architecture, settings) + maskedOfRow(adapted, settings)) +
      FLOAT_BYTES * attentionMasks(architecture, tokens),
    head: FLOAT_BYTES * chunk * architecture.vocabularySize * HEAD_COPIES,
    optimizer: FLOAT_BYTES * trainable * TRAINED_COPIES,
  };
  return {
    parameters,
    trainableParameters: trainable,
    adapterBytes: FLOAT_BYTES * adapter,
    memory: { ...memory, total: Object.values(memory).reduce((sum, bytes) => sum + bytes, 0) },
    flopsPerToken: countOperations(architecture, settings, adapter),
  };
}

/**
 * Numbers of each row (a token of a sample) that are there at once. A block keeps its two residual sums, queries, keys and values,
 * and what goes into the activation: together as many as its linear layers give. What is cheap, it computes again.
 */
function activationsOfRow(
  { attention, blocks, hiddenSize, linears }: Architecture,
  { tokens, checkpointing }: EstimateSettings,
): number {
  const outputs = linears.reduce((sum, linear) => sum + linear.out, 0) / blocks;
  const scores = attention.heads * tokens;
  const ofBlock = outputs + scores;
  // checkpointed: every block's input, and one block's all
  return (checkpointing ? blocks * hiddenSize + ofBlock : blocks * ofBlock) + SCORE_COPIES * scores;
}

/** Numbers of the masks that a batch is fed with, whatever its size; with slopes each head has its own. */
function attentionMasks({ attention, positional }: Architecture, tokens: number): number {
  const { heads, keyValueHeads } = attention;
  const ofMask = ({ slopes }: { slopes: readonly number[] | null }) => (slopes ? heads : heads / keyValueHeads);
  return Object.values(positional.masks).reduce((sum, mask) => sum + ofMask(mask), 0) * tokens * tokens;
}

function maskedOfRow(adapted: readonly LinearSpec[], { lora }: EstimateSettings): number {
  return lora && lora.dropout > 0 ? adapted.reduce((sum, linear) => sum + linear.in, 0) : 0;
}

function countOperations(
  { attention, hiddenSize, linears, vocabularySize, blocks }: Architecture,
  { lora, tokens, checkpointing, headShare = 1 }: EstimateSettings,
  adapter: number,
): { forward: number; training: number } {
  const dense = 2 * linears.reduce((sum, linear) => sum + linear.in * linear.out, 0);
  const scores = 4 * blocks * attention.heads * attention.headSize * tokens;
  const head = 2 * hiddenSize * vocabularySize * headShare;
  const low = 2 * adapter;
  const forward = dense + scores + head + low;
  // of each product the gradient by its input, and by its weights where they are trained; scores have two inputs
  const backward = lora ? dense + 2 * scores + head + 2 * low : 2 * dense + 2 * scores + 2 * head;
  return { forward, training: forward + backward + (checkpointing ? dense + scores + low : 0) };
}

function product(shape: readonly number[]): number {
  return shape.reduce((result, size) => result * size, 1);
}
