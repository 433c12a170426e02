import { InvalidInputError } from "../core/errors.ts";
import { quote } from "../formats/quote.ts";
import { readSafetensors, type Tensor } from "../formats/safetensors.ts";
import type { AdapterToLoad, OpenModel } from "../ports/engine.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { adaptedLinears, loraNames } from "./lora-bank.ts";
import { type ParameterBank, viewOf } from "./parameter-bank.ts";
import { widenBfloat16, widenFloat16 } from "./widen-float.ts";

/**
 * Largest number of A. All rows of a run are multiplied by every adapter's A, and by 0 where it is not theirs: an infinite product would
 * be NaN in everybody's row. What is normalized, times so much, stays far below f32's largest; trained numbers are below 100.
 */
const LARGEST_DOWN = 1e18;

/** An adapter as generation uses it, beside others. */
export interface RunTimeAdapter {
  readonly rank: number;
  /** α / rank */
  readonly scale: number;
  /** by the linear layer's name: A [rank, in] and Bᵀ [rank, out], so that several lie one below the other */
  readonly layers: ReadonlyMap<string, { down: Float32Array; up: Float32Array }>;
}

/** @throws InvalidInputError `ADAPTER_INVALID` naming the tensor, expected and got; also safetensors' own */
export function readRunTimeAdapter(
  { linears, modelType }: Architecture,
  name: string,
  { rank, alpha, weights }: AdapterToLoad,
): RunTimeAdapter {
  const what = `adapter ${quote(name)}`;
  const refuse = (reason: string) => new InvalidInputError("ADAPTER_INVALID", `${what}: ${reason}`);
  if (!Number.isSafeInteger(rank) || rank < 1) throw refuse(`expected a rank of at least 1, got ${rank}`);
  if (!Number.isFinite(alpha)) throw refuse(`expected a finite alpha, got ${alpha}`);
  const unused = new Map(readSafetensors(weights, what).tensors);
  const take = (tensorName: string, shape: readonly number[], largest: number): Float32Array => {
    const tensor = unused.get(tensorName);
    if (!tensor) throw refuse(`expected the tensor ${tensorName} beside its other half, got none of that name`);
    if (tensor.shape.length !== 2 || tensor.shape.some((size, axis) => size !== shape[axis]))
      throw refuse(
        `tensor ${tensorName}: expected shape [${shape}], got ${quote(tensor.shape)}: is it of another model?`,
      );
    unused.delete(tensorName);
    const values = widened(tensor);
    if (!values) throw refuse(`tensor ${tensorName}: expected F32, F16 or BF16, got ${tensor.dtype}`);
    const bad = values.findIndex((number) => !Number.isFinite(number));
    if (bad >= 0) throw refuse(`tensor ${tensorName}: expected finite numbers, got ${values[bad]} at ${bad}`);
    const far = values.findIndex((number) => Math.abs(number) > largest);
    if (far >= 0)
      throw refuse(`tensor ${tensorName}: expected numbers of at most ${largest}, got ${values[far]} at ${far}`);
    return values;
  };
  const layers = new Map<string, { down: Float32Array; up: Float32Array }>();
  for (const linear of linears) {
    const { down, up } = loraNames(linear.name);
    if (!unused.has(down) && !unused.has(up)) continue;
    layers.set(linear.name, {
      down: take(down, [rank, linear.in], LARGEST_DOWN),
      up: transposed(take(up, [linear.out, rank], Number.POSITIVE_INFINITY), linear.out, rank),
    });
  }
  for (const other of unused.keys())
    throw refuse(`expected lora_A and lora_B of linear layers of a ${modelType} model, got ${quote(other)}`);
  if (layers.size === 0) throw refuse("expected weights, got none");
  return { rank, scale: alpha / rank, layers };
}

/** The adapter that a model was opened with, as it is now. */
export function runTimeAdapterOf(
  architecture: Architecture,
  lora: NonNullable<OpenModel["lora"]>,
  bank: ParameterBank,
): RunTimeAdapter {
  const entries = new Map(bank.entries.map((entry) => [entry.name, entry]));
  const layers = adaptedLinears(architecture, lora).map(({ name, out }) => {
    const { down, up } = loraNames(name);
    const matrices = {
      down: viewOf(bank, entries.get(down)!),
      up: transposed(viewOf(bank, entries.get(up)!), out, lora.rank),
    };
    return [name, matrices] as const;
  });
  return { rank: lora.rank, scale: lora.alpha / lora.rank, layers: new Map(layers) };
}

function widened({ dtype, data }: Tensor): Float32Array | null {
  if (dtype === "F32") return data;
  if (dtype === "BF16") return widenBfloat16(data);
  return dtype === "F16" ? widenFloat16(data) : null;
}

/** [rows, columns] → [columns, rows] */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column];
  return result;
}
