import type { GraphBuilder, Value } from "../graph/builder.ts";
import type { HostTensor } from "../session.ts";
import { type AttentionShape, type MaskSpec, maskValues, queriesDimension, type TextPart } from "./attention-mask.ts";
import { type RotarySpec, type RotaryTables, rotaryAngles } from "./rotary.ts";

/** Everything that an architecture is fed about positions. It depends on where the tokens stand alone, not on what they are. */
export interface PositionalSpec {
  /** by a name of the architecture's own, such as "full" and "local" */
  readonly masks: Readonly<Record<string, MaskSpec>>;
  /** none where positions are not turned */
  readonly rotary: Readonly<Record<string, RotarySpec>>;
  /** added to each position where it is looked up in a table of learned positions (OPT: 2); null: there is no such table */
  readonly tableOffset: number | null;
}

/** A graph's inputs for it. */
export interface PositionalInputs {
  /** [queries, keys], or [keyValueHeads, queries, keys] with ALiBi: added to the scores */
  masks: Readonly<Record<string, Value>>;
  rotary: Readonly<Record<string, RotaryTables>>;
  /** [tokens] int32: rows of the table of positions */
  positions: Value | null;
}

/** @param keys - the dimension of what queries look at: "tokens", or "keys" where keys of earlier runs are kept */
export function declarePositional(
  graph: GraphBuilder,
  spec: PositionalSpec,
  shape: AttentionShape,
  keys: "tokens" | "keys" = "tokens",
): PositionalInputs {
  const each = <T, R>(table: Readonly<Record<string, T>>, make: (name: string, one: T) => R): Record<string, R> =>
    Object.fromEntries(Object.entries(table).map(([name, one]) => [name, make(name, one)]));
  return {
    masks: each(spec.masks, (name, { slopes }) =>
      graph.input(`mask:${name}`, "float32", [...(slopes ? [shape.keyValueHeads] : []), queriesDimension(shape), keys]),
    ),
    rotary: each(spec.rotary, (name, { frequencies }) => ({
      cosines: graph.input(`cosines:${name}`, "float32", ["tokens", frequencies.length]),
      sines: graph.input(`sines:${name}`, "float32", ["tokens", frequencies.length]),
    })),
    positions: spec.tableOffset === null ? null : graph.input("positions", "int32", ["tokens"]),
  };
}

/** The inputs' values. */
export function positionalFeeds(
  spec: PositionalSpec,
  shape: AttentionShape,
  part: TextPart,
): Record<string, HostTensor> {
  const { tokens, first, slots } = part;
  const feeds: Record<string, HostTensor> = {};
  const queries = (tokens * shape.heads) / shape.keyValueHeads;
  for (const [name, mask] of Object.entries(spec.masks))
    feeds[`mask:${name}`] = {
      data: maskValues(mask, shape, part),
      shape: [...(mask.slopes ? [shape.keyValueHeads] : []), queries, slots + tokens],
    };
  for (const [name, rotary] of Object.entries(spec.rotary)) {
    const { cosines, sines } = rotaryAngles(rotary, first, tokens);
    const angles = [tokens, rotary.frequencies.length];
    feeds[`cosines:${name}`] = { data: cosines, shape: angles };
    feeds[`sines:${name}`] = { data: sines, shape: angles };
  }
  if (spec.tableOffset !== null)
    feeds.positions = {
      data: Int32Array.from({ length: tokens }, (_, token) => first + token + spec.tableOffset!),
      shape: [tokens],
    };
  return feeds;
}
