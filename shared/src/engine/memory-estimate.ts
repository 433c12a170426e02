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
  /** the program itself, before it has opened a model */
  process: number;
  weights: number;
  /** what the blocks' backward passes need of their forward passes */
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
/** Node with ONNX Runtime loaded and a thread of its own; measured. */
const PROCESS_BYTES = 110e6;
/** Values of [rows, V] that are alive at once in the loss. */
const HEAD_COPIES = 5;

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
    process: PROCESS_BYTES,
    // 16-bit weights are widened once, in memory; trained ones are the optimizer's
    weights: lora ? FLOAT_BYTES * parameters : 0,
    // with dropout also what each adapter sees of its input, a byte an element
    activations: rows * (FLOAT_BYTES * activationsOfRow(architecture, settings) + maskedOfRow(adapted, settings)),
    head: FLOAT_BYTES * chunk * architecture.vocabularySize * HEAD_COPIES,
    // values, their copy in the graph, gradient, its sum over micro-batches, two moments
    optimizer: FLOAT_BYTES * trainable * 6,
  };
  return {
    parameters,
    trainableParameters: trainable,
    adapterBytes: FLOAT_BYTES * adapter,
    memory: { ...memory, total: Object.values(memory).reduce((sum, bytes) => sum + bytes, 0) },
    flopsPerToken: countOperations(architecture, settings, adapter),
  };
}

/** Numbers kept of each row (a token of a sample) between the forward and the backward pass. */
function activationsOfRow(
  { attention, blocks, hiddenSize, linears }: Architecture,
  { tokens, checkpointing }: EstimateSettings,
): number {
  const outputs = linears.reduce((sum, linear) => sum + linear.out, 0) / blocks;
  const ofBlock = 3 * hiddenSize + 1.5 * outputs + attention.heads * tokens;
  // checkpointed: every block's input, and one block's all
  return checkpointing ? blocks * hiddenSize + 2 * ofBlock : blocks * ofBlock;
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
