import { InvalidInputError } from "../core/errors.ts";
import { SAMPLE_ID_BYTES } from "../core/samples/sample.ts";
import { quote } from "./quote.ts";
import type { Dtype, Tensor, TensorOf } from "./safetensors.ts";

/** Longest header of the project's own files: theirs are a few kilobytes, while JSON takes thirty times its text in memory. */
export const MAX_OWN_HEADER_BYTES = 64 * 1024;

/** Makes the error for one reason; the caller has put file, party and code into it. */
export type Refuse = (reason: string) => InvalidInputError;

/** The checks that the project's own safetensors files share: known metadata, known tensors, shapes, offsets. */
export function refuseWith(code: string, what: string): Refuse {
  return (reason) => new InvalidInputError(code, `${what}: ${reason}`);
}

/** Checks format and version, and that there are exactly these keys beside them. */
export function takeMetadata<Key extends string>(
  metadata: Record<string, string>,
  { format, version, keys }: { format: string; version: string; keys: readonly Key[] },
  refuse: Refuse,
): Record<Key, string> {
  if (metadata.format !== format) throw refuse(`expected the format "${format}", got ${quote(metadata.format)}`);
  if (metadata.version !== version)
    throw refuse(`expected version "${version}" of ${format}, got ${quote(metadata.version)}`);
  for (const key of keys)
    if (!Object.hasOwn(metadata, key)) throw refuse(`expected metadata ${keys.join(", ")}, got no ${key}`);
  const unknown = Object.keys(metadata).find(
    (key) => key !== "format" && key !== "version" && !keys.includes(key as Key),
  );
  if (unknown !== undefined) throw refuse(`expected metadata ${keys.join(", ")}, got ${quote(unknown)}`);
  return metadata;
}

/** A count in decimal digits, as metadata hold it. */
export function parseCount(
  text: string,
  name: string,
  limits: { least: number; most: number },
  refuse: Refuse,
): number {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= limits.least && value <= limits.most))
    throw refuse(`${name}: expected a whole number from ${limits.least} to ${limits.most}, got ${quote(text)}`);
  return value;
}

/** A share above 0 and at most 1, as JavaScript writes a number. */
export function parseShare(text: string, name: string, refuse: Refuse): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1 && String(value) === text))
    throw refuse(`${name}: expected a number above 0 and at most 1, got ${quote(text)}`);
  return value;
}

/** A number above 0, as JavaScript writes it. */
export function parsePositive(text: string, name: string, refuse: Refuse): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value) && String(value) === text))
    throw refuse(`${name}: expected a number above 0, got ${quote(text)}`);
  return value;
}

/** SHA-256 in lower-case hex. */
export function parseHash(text: string, name: string, refuse: Refuse): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw refuse(`${name}: expected a SHA-256 in lower-case hex, got ${quote(text)}`);
  return text;
}

/** The id of a run or party: what `contracts/identifier.ts` allows. */
export function parseIdentifier(text: string, name: string, refuse: Refuse): string {
  if (!/^[a-z0-9][a-z0-9+-]{0,62}$/.test(text)) throw refuse(`${name}: expected an identifier, got ${quote(text)}`);
  return text;
}

/** Compares what a file says of itself with what its reader asked for; both values stand in the error. */
export function checkExpected(header: object, expected: object, refuse: Refuse): void {
  for (const [name, value] of Object.entries(expected)) {
    const got = (header as Record<string, unknown>)[name];
    if (value !== undefined && got !== value) throw refuse(`expected ${name} ${value}, got ${got}`);
  }
}

/** Checks that there are exactly these tensors, of these types. */
export function takeTensors<Dtypes extends Record<string, Dtype>>(
  tensors: Map<string, Tensor>,
  dtypes: Dtypes,
  refuse: Refuse,
): { [Name in keyof Dtypes]: TensorOf<Dtypes[Name]> } {
  for (const [name, dtype] of Object.entries(dtypes)) {
    const tensor = tensors.get(name);
    if (tensor?.dtype !== dtype)
      throw refuse(`tensor ${name}: expected ${dtype}, got ${tensor?.dtype ?? "no such tensor"}`);
  }
  for (const name of tensors.keys())
    if (!Object.hasOwn(dtypes, name)) throw refuse(`expected no tensor ${quote(name)}`);
  return Object.fromEntries(tensors) as { [Name in keyof Dtypes]: TensorOf<Dtypes[Name]> };
}

/** Checks each tensor's shape. */
export function checkShapes<Name extends string>(
  tensors: Record<Name, Tensor>,
  shapes: Record<Name, readonly number[]>,
  refuse: Refuse,
): void {
  for (const name of Object.keys(shapes) as Name[]) {
    const { shape } = tensors[name];
    if (shape.join() !== shapes[name].join())
      throw refuse(`tensor ${name}: expected shape [${shapes[name]}], got ${quote(shape)}`);
  }
}

/** Checks that offsets begin at 0, never fall, and end at the length of what they part. */
export function checkOffsets(offsets: Int32Array, end: number, name: string, refuse: Refuse): void {
  if (offsets[0] !== 0) throw refuse(`${name}: expected to begin at 0, got ${offsets[0]}`);
  for (let at = 1; at < offsets.length; at++)
    if (offsets[at] < offsets[at - 1])
      throw refuse(`${name}[${at}]: expected at least ${offsets[at - 1]}, got ${offsets[at]}`);
  const last = offsets[offsets.length - 1];
  if (last !== end) throw refuse(`${name}: expected to end at ${end}, got ${last}`);
}

/**
 * Checks that each id stands once. By sorting, since a hostile shard may hold millions: as keys of a map they would take 300 MB.
 *
 * Time O(S), whatever the ids; memory 8 bytes a sample.
 */
export function checkSampleIds(sampleIds: Uint8Array, refuse: Refuse): void {
  const order = sortIds(sampleIds);
  for (let at = 1; at < order.length; at++) {
    const [first, second] = [order[at - 1], order[at]];
    let byte = 0;
    while (
      byte < SAMPLE_ID_BYTES &&
      sampleIds[first * SAMPLE_ID_BYTES + byte] === sampleIds[second * SAMPLE_ID_BYTES + byte]
    )
      byte++;
    if (byte === SAMPLE_ID_BYTES) throw refuse(`sample ${second}: has the id of sample ${first}`);
  }
}

/** The samples in the order of their ids, equal ones in their own: by each byte, the last first. */
function sortIds(sampleIds: Uint8Array): Uint32Array {
  const samples = sampleIds.length / SAMPLE_ID_BYTES;
  let order = new Uint32Array(samples);
  let next = new Uint32Array(samples);
  for (let sample = 0; sample < samples; sample++) order[sample] = sample;
  const begins = new Uint32Array(2 ** 8 + 1);
  for (let byte = SAMPLE_ID_BYTES - 1; byte >= 0; byte--) {
    begins.fill(0);
    for (let at = byte; at < sampleIds.length; at += SAMPLE_ID_BYTES) begins[sampleIds[at] + 1]++;
    for (let value = 1; value < begins.length; value++) begins[value] += begins[value - 1];
    for (let index = 0; index < samples; index++)
      next[begins[sampleIds[order[index] * SAMPLE_ID_BYTES + byte]]++] = order[index];
    const sorted = next;
    next = order;
    order = sorted;
  }
  return order;
}
