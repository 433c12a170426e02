import { MAPPED, type VocabularyMap } from "../core/knowledge.ts";
import { MAX_VOCABULARY } from "../core/model-limits.ts";
import {
  checkExpected,
  checkShapes,
  MAX_OWN_HEADER_BYTES,
  parseCount,
  parseHash,
  type Refuse,
  refuseWith,
  takeMetadata,
  takeTensors,
} from "./named-tensors.ts";
import { quote } from "./quote.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "./safetensors.ts";

/** Which tokenizers a map connects. */
export interface VocabularyMapHeader {
  sourceTokenizerHash: string;
  targetTokenizerHash: string;
}

const FORMAT = { format: "fedmkt.vocabulary-map", version: "1" } as const;
const KEYS = ["rule", "sourceTokenizerHash", "targetTokenizerHash", "sourceSize", "targetSize", "groups"] as const;
const DTYPES = {
  targetOfSource: "I32",
  kind: "U8",
  distance: "I32",
  groupOfTarget: "I32",
  groupOfSource: "I32",
} as const;

/**
 * A vocabulary map as a safetensors file whose tensors are named as {@link VocabularyMap}'s fields.
 *
 * @throws InvalidInputError `MAP_INVALID`
 */
export function writeVocabularyMap(map: VocabularyMap, header: VocabularyMapHeader): Uint8Array {
  const tensors = Object.fromEntries(
    Object.entries(DTYPES).map(([name, dtype]) => {
      const data = map[name as keyof typeof DTYPES];
      return [name, { dtype, shape: [data.length], data } as Tensor];
    }),
  );
  const bytes = writeSafetensors(tensors, {
    ...FORMAT,
    rule: map.rule,
    sourceTokenizerHash: header.sourceTokenizerHash,
    targetTokenizerHash: header.targetTokenizerHash,
    sourceSize: String(map.targetOfSource.length),
    targetSize: String(map.groupOfTarget.length),
    groups: String(map.groups),
  });
  readVocabularyMap(bytes, "writing", {});
  return bytes;
}

/**
 * Reads a vocabulary map and checks that every id exists, every kind fits its target, and groups are numbered by first member.
 *
 * @param expected - what the reader asked for; each field given must be equal
 * @throws InvalidInputError `MAP_MISMATCH`, `MAP_INVALID`; `SAFETENSORS_…`
 */
export function readVocabularyMap(
  bytes: Uint8Array,
  what: string,
  expected: Partial<VocabularyMapHeader & Pick<VocabularyMap, "rule">>,
): VocabularyMap {
  const refuse = refuseWith("MAP_INVALID", what);
  const { tensors, metadata } = readSafetensors(bytes, what, MAX_OWN_HEADER_BYTES);
  const taken = takeMetadata(metadata, { ...FORMAT, keys: KEYS }, refuse);
  const rule = parseMapRule(taken.rule, refuse);
  const header = {
    rule,
    sourceTokenizerHash: parseHash(taken.sourceTokenizerHash, "sourceTokenizerHash", refuse),
    targetTokenizerHash: parseHash(taken.targetTokenizerHash, "targetTokenizerHash", refuse),
  };
  checkExpected(header, expected, refuseWith("MAP_MISMATCH", what));
  const sourceSize = parseCount(taken.sourceSize, "sourceSize", { least: 0, most: MAX_VOCABULARY }, refuse);
  const targetSize = parseCount(taken.targetSize, "targetSize", { least: 0, most: MAX_VOCABULARY }, refuse);
  const arrays = takeTensors(tensors, DTYPES, refuse);
  const shapes = {
    targetOfSource: [sourceSize],
    kind: [sourceSize],
    distance: [sourceSize],
    groupOfTarget: [targetSize],
    groupOfSource: [sourceSize],
  };
  checkShapes(arrays, shapes, refuse);
  const map: VocabularyMap = {
    rule,
    targetOfSource: arrays.targetOfSource.data,
    kind: arrays.kind.data,
    distance: arrays.distance.data,
    groupOfTarget: arrays.groupOfTarget.data,
    groups: parseCount(taken.groups, "groups", { least: 0, most: targetSize }, refuse),
    groupOfSource: arrays.groupOfSource.data,
  };
  checkTargets(map, refuse);
  checkGroups(map, refuse);
  return map;
}

/** One of the rules by which maps are made. */
export function parseMapRule(value: unknown, refuse: Refuse): VocabularyMap["rule"] {
  if (value === "product" || value === "min-edit" || value === "reference") return value;
  throw refuse(`rule: expected product, min-edit or reference, got ${quote(value)}`);
}

function checkTargets({ targetOfSource, kind, distance, groupOfTarget }: VocabularyMap, refuse: Refuse): void {
  for (let source = 0; source < targetOfSource.length; source++) {
    const target = targetOfSource[source];
    if (target < -1 || target >= groupOfTarget.length)
      throw refuse(`source token ${source}: expected a target from −1 to ${groupOfTarget.length - 1}, got ${target}`);
    if (kind[source] > MAPPED.edit || (kind[source] === MAPPED.nowhere) !== (target === -1))
      throw refuse(`source token ${source}: expected a kind that fits target ${target}, got ${kind[source]}`);
    if (distance[source] < 0 || (distance[source] > 0 && kind[source] !== MAPPED.edit))
      throw refuse(
        `source token ${source}: expected a distance that fits kind ${kind[source]}, got ${distance[source]}`,
      );
  }
}

function checkGroups({ groupOfTarget, groups, groupOfSource }: VocabularyMap, refuse: Refuse): void {
  let next = 0;
  for (let target = 0; target < groupOfTarget.length; target++) {
    const group = groupOfTarget[target];
    if (group < 0 || group > next)
      throw refuse(`target token ${target}: expected a group from 0 to ${next}, got ${group}`);
    if (group === next) next++;
  }
  if (next !== groups) throw refuse(`expected ${groups} groups, got ${next}`);
  for (let source = 0; source < groupOfSource.length; source++) {
    const group = groupOfSource[source];
    if (group < -1 || group >= groups)
      throw refuse(`source token ${source}: expected a group from −1 to ${groups - 1}, got ${group}`);
  }
}
