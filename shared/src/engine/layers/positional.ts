import type { GraphBuilder, Value } from "../graph/builder.ts";
import { cast } from "../graph/operators.ts";
import type { HostTensor } from "../session.ts";
import {
  type AttentionShape,
  fillMask,
  type MaskSpec,
  maskValues,
  queriesDimension,
  type TextPart,
  wholeText,
} from "./attention-mask.ts";
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
  /**
   * [queries, keys], or [keyValueHeads, queries, keys] with ALiBi: added to the scores. Where texts go on each has its own:
   * [batch, 1 or keyValueHeads, queries, keys]
   */
  masks: Readonly<Record<string, Value>>;
  rotary: Readonly<Record<string, RotaryTables>>;
  /** [tokens] int32: rows of the table of positions; [batch, tokens] where texts go on */
  positions: Value | null;
}

/** Of whole texts: all of a batch stand at the same positions. */
export function declarePositional(graph: GraphBuilder, spec: PositionalSpec, shape: AttentionShape): PositionalInputs {
  return {
    masks: each(spec.masks, (name, { slopes }) =>
      graph.input(maskName(name), "float32", [
        ...(slopes ? [shape.keyValueHeads] : []),
        queriesDimension(shape),
        "tokens",
      ]),
    ),
    rotary: each(spec.rotary, (name, { frequencies }) => ({
      positions: graph.list([0]),
      cosines: graph.input(cosinesName(name), "float32", ["tokens", frequencies.length]),
      sines: graph.input(sinesName(name), "float32", ["tokens", frequencies.length]),
    })),
    positions: spec.tableOffset === null ? null : graph.input("positions", "int32", ["tokens"]),
  };
}

/** Of texts that go on, each from a position of its own. */
export function declareContinuedPositional(
  graph: GraphBuilder,
  spec: PositionalSpec,
  shape: AttentionShape,
): PositionalInputs {
  const turned = Object.keys(spec.rotary).length > 0;
  const places = turned ? cast(graph, graph.input("places", "int32", ["batch", "tokens"]), "int64") : null;
  return {
    masks: each(spec.masks, (name, { slopes }) =>
      graph.input(maskName(name), "float32", [
        "batch",
        slopes ? shape.keyValueHeads : 1,
        queriesDimension(shape),
        "keys",
      ]),
    ),
    rotary: each(spec.rotary, (name, { frequencies }) => ({
      positions: places!,
      cosines: graph.input(cosinesName(name), "float32", ["angles", frequencies.length]),
      sines: graph.input(sinesName(name), "float32", ["angles", frequencies.length]),
    })),
    positions: spec.tableOffset === null ? null : graph.input("positions", "int32", ["batch", "tokens"]),
  };
}

/** The inputs' values for whole texts. */
export function positionalFeeds(
  spec: PositionalSpec,
  shape: AttentionShape,
  tokens: number,
): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = {};
  const queries = (tokens * shape.heads) / shape.keyValueHeads;
  for (const [name, mask] of Object.entries(spec.masks))
    feeds[maskName(name)] = {
      data: maskValues(mask, shape, wholeText(tokens)),
      shape: [...(mask.slopes ? [shape.keyValueHeads] : []), queries, tokens],
    };
  for (const [name, rotary] of Object.entries(spec.rotary)) Object.assign(feeds, angleFeeds(name, rotary, tokens));
  if (spec.tableOffset !== null)
    feeds.positions = {
      data: Int32Array.from({ length: tokens }, (_, token) => token + spec.tableOffset!),
      shape: [tokens],
    };
  return feeds;
}

/** How many more angles there are than were asked for last: they are computed once for all texts. */
const LEAST_ANGLES = 256;

/**
 * Makes the inputs' values for texts that go on.
 * @returns their parts, of one number of tokens and slots → feeds, good until the next call
 */
export function createContinuedFeeds(
  spec: PositionalSpec,
  shape: AttentionShape,
): (parts: readonly TextPart[]) => Record<string, HostTensor> {
  let angles: Record<string, HostTensor> = {};
  let known = 0;
  return (parts) => {
    const [{ tokens, slots }] = parts;
    const batch = parts.length;
    const keys = slots + tokens;
    const last = parts.reduce((most, { first }) => Math.max(most, first + tokens), 0);
    if (last > known) {
      known = Math.max(LEAST_ANGLES, 2 ** Math.ceil(Math.log2(last)));
      angles = Object.assign({}, ...Object.entries(spec.rotary).map(([name, one]) => angleFeeds(name, one, known)));
    }
    const feeds: Record<string, HostTensor> = { ...angles };
    for (const [name, mask] of Object.entries(spec.masks)) {
      const heads = mask.slopes ? shape.keyValueHeads : 1;
      const queries = (tokens * shape.heads) / shape.keyValueHeads;
      const data = new Float32Array(batch * heads * queries * keys);
      parts.forEach((part, at) => {
        fillMask(data.subarray(at * heads * queries * keys, (at + 1) * heads * queries * keys), mask, shape, part);
      });
      feeds[maskName(name)] = { data, shape: [batch, heads, queries, keys] };
    }
    const positions = (offset: number): HostTensor => {
      const data = new Int32Array(batch * tokens);
      parts.forEach(({ first }, at) => {
        for (let token = 0; token < tokens; token++) data[at * tokens + token] = first + token + offset;
      });
      return { data, shape: [batch, tokens] };
    };
    if (Object.keys(spec.rotary).length > 0) feeds.places = positions(0);
    if (spec.tableOffset !== null) feeds.positions = positions(spec.tableOffset);
    return feeds;
  };
}

const maskName = (name: string) => `mask:${name}`;
const cosinesName = (name: string) => `cosines:${name}`;
const sinesName = (name: string) => `sines:${name}`;

/** Angles of the positions from 0 on. */
function angleFeeds(name: string, rotary: RotarySpec, count: number): Record<string, HostTensor> {
  const { cosines, sines } = rotaryAngles(rotary, count);
  const shape = [count, rotary.frequencies.length];
  return { [cosinesName(name)]: { data: cosines, shape }, [sinesName(name)]: { data: sines, shape } };
}

function each<T, R>(table: Readonly<Record<string, T>>, make: (name: string, one: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(table).map(([name, one]) => [name, make(name, one)]));
}
