import type { GraphBuilder, Value } from "./graph/builder.ts";
import { reshape } from "./graph/operators.ts";

/** One trainable tensor and where it lies in the bank's flat vector. */
export interface BankEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly length: number;
}

/** Everything that is trained, as one vector, so that the optimizer and the gradients' norm see one array. */
export interface ParameterBank {
  readonly entries: readonly BankEntry[];
  readonly values: Float32Array;
}

/** Lays tensors out one after the other, in the order of their names, all zero. */
export function createBank(tensors: readonly { name: string; shape: readonly number[] }[]): ParameterBank {
  let begin = 0;
  const entries = [...tensors]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const entry = { name, shape, begin, length };
      begin += length;
      return entry;
    });
  return { entries, values: new Float32Array(begin) };
}

/** A view of one tensor in the flat vector. */
export function viewOf(bank: ParameterBank, { begin, length }: BankEntry): Float32Array {
  return bank.values.subarray(begin, begin + length);
}

/** Makes the bank the graph's input "trainable" and splits it there. @returns its tensors by name */
export function declareBank(graph: GraphBuilder, bank: ParameterBank, trains: boolean): Map<string, Value> {
  if (bank.entries.length === 0) return new Map();
  const flat = graph.input("trainable", "float32", [bank.values.length]);
  const sizes = bank.entries.map((entry) => entry.length);
  const parts =
    sizes.length === 1
      ? [flat]
      : graph.applyMany(
          "Split",
          [flat, graph.list(sizes)],
          sizes.map((size) => ({ shape: [size] })),
          { axis: 0 },
        );
  return new Map(
    bank.entries.map(({ name, shape }, index) => [
      name,
      { ...reshape(graph, parts[index], shape), needsGradient: trains },
    ]),
  );
}
