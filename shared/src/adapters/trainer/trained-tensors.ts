import type { TrainedTensor } from "../../contracts/trainer-protocol.ts";
import {
  type Dtype,
  readSafetensors,
  type Tensor,
  type TensorOf,
  writeSafetensors,
} from "../../formats/safetensors.ts";

/** Reading one of the trainer's files ends in this where it is not what was asked for. */
export class UnexpectedTensors extends Error {}

/** Bytes of a header that names a tensor, with room; names are at most 512 characters. */
const HEADER_BYTES_A_TENSOR = 1024;
const HEADER_BYTES = 64 * 1024;

export function countValues(tensors: readonly { shape: readonly number[] }[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** @returns the most bytes that a file of so many values in so many tensors has */
export function fileLimit(values: number, tensors: number, bytesAValue = 4): number {
  return HEADER_BYTES + tensors * HEADER_BYTES_A_TENSOR + values * bytesAValue;
}

/** A file with exactly these tensors in f32, finite; written anew, so that equal weights are equal bytes. @throws UnexpectedTensors */
export function checkWeights(bytes: Uint8Array, expected: readonly TrainedTensor[] | null): Uint8Array {
  const { tensors } = readTensors(bytes);
  if (expected && expected.length !== tensors.size)
    throw new UnexpectedTensors(`expected ${expected.length} tensors, got ${tensors.size}`);
  for (const { name, shape } of expected ?? []) {
    const got = tensors.get(name)?.shape;
    if (got?.join() !== shape.join())
      throw new UnexpectedTensors(`expected the tensor ${name} of shape [${shape}], got ${got ? `[${got}]` : "none"}`);
  }
  for (const [name, tensor] of tensors) takeFloats(name, tensor);
  return writeSafetensors(Object.fromEntries(tensors), { format: "pt" });
}

/** The numbers of one tensor. @throws UnexpectedTensors */
export function takeTensor<D extends Dtype>(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  dtype: D,
  length: number,
): TensorOf<D>["data"] {
  const tensor: Tensor | undefined = tensors.get(name);
  if (tensor?.dtype !== dtype || tensor.data.length !== length)
    throw new UnexpectedTensors(
      `expected ${name}: ${length} numbers in ${dtype}, got ${tensor ? `${tensor.data.length} in ${tensor.dtype}` : "none"}`,
    );
  return tensor.data as TensorOf<D>["data"];
}

/** @throws UnexpectedTensors */
export function readTensors(bytes: Uint8Array | undefined) {
  if (bytes === undefined) throw new UnexpectedTensors("expected a safetensors file attached, got none");
  try {
    return readSafetensors(bytes, "the trainer's tensors");
  } catch (error) {
    throw new UnexpectedTensors((error as Error).message);
  }
}

function takeFloats(name: string, { dtype, data }: Tensor): void {
  if (dtype !== "F32") throw new UnexpectedTensors(`expected ${name} in F32, got ${dtype}`);
  const bad = data.findIndex((number) => !Number.isFinite(number));
  if (bad >= 0) throw new UnexpectedTensors(`expected finite numbers, got ${data[bad]} in ${name} at ${bad}`);
}
