import { InvalidInputError } from "../core/errors.ts";
import type { Knowledge } from "../core/knowledge.ts";
import { MAX_OWN_HEADER_BYTES } from "./named-tensors.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "./safetensors.ts";

/**
 * Both sides' losses on a shard's samples, with what every metric divides them by: the little that selection needs of two large
 * shards. S samples.
 */
export interface PairedLosses {
  /** [S] nats, summed over the answer */
  sourceNats: Float64Array;
  /** [S] */
  targetNats: Float64Array;
  /** [S] UTF-8 bytes of the answer, the same for both */
  answerBytes: Int32Array;
  /** [S] the answer's tokens, EOS among them */
  sourceAnswerTokens: Int32Array;
  /** [S] */
  targetAnswerTokens: Int32Array;
  /** [S] all tokens, BOS among them: more than the answer's */
  sourceTokens: Int32Array;
  /** [S] */
  targetTokens: Int32Array;
  /** what selection by token needs; null where the shard was aligned for another rule */
  advantage: {
    /** [S] nats by which the source gives the truth more than the target does, summed over the positions that were kept */
    nats: Float64Array;
    /** [S] positions that were kept */
    positions: Int32Array;
  } | null;
}

const FORMAT = { format: "fedmkt.paired-losses", version: "2" };

/** The tensors' names in the file. */
const NAMES = {
  sourceNats: "source_nats",
  targetNats: "target_nats",
  answerBytes: "answer_bytes",
  sourceAnswerTokens: "source_answer_tokens",
  targetAnswerTokens: "target_answer_tokens",
  sourceTokens: "source_tokens",
  targetTokens: "target_tokens",
} as const satisfies Record<Exclude<keyof PairedLosses, "advantage">, string>;
const FIELDS = Object.keys(NAMES) as (keyof typeof NAMES)[];
/** There together, or not at all. */
const ADVANTAGE = { nats: "advantage_nats", positions: "advantage_positions" } as const;

/**
 * @param advantage - where selection is by token
 * @throws InvalidInputError `SAMPLES_DIFFER` where the two sides count an answer's bytes differently
 */
export function writePairedLosses(
  source: Knowledge,
  target: Knowledge,
  advantage: PairedLosses["advantage"] = null,
): Uint8Array {
  const samples = source.lossNats.length;
  source.answerBytes.forEach((bytes, index) => {
    if (bytes !== target.answerBytes[index])
      throw new InvalidInputError(
        "SAMPLES_DIFFER",
        `sample ${index}: the source counts ${bytes} answer bytes, the target ${target.answerBytes[index]}`,
      );
  });
  const counts = (data: Int32Array) => ({ dtype: "I32", shape: [samples], data }) as const;
  return writeSafetensors(
    {
      [NAMES.sourceNats]: { dtype: "F64", shape: [samples], data: source.lossNats },
      [NAMES.targetNats]: { dtype: "F64", shape: [samples], data: target.lossNats },
      [NAMES.answerBytes]: counts(source.answerBytes),
      [NAMES.sourceAnswerTokens]: counts(source.answerPositions),
      [NAMES.targetAnswerTokens]: counts(target.answerPositions),
      [NAMES.sourceTokens]: counts(tokensOfEach(source)),
      [NAMES.targetTokens]: counts(tokensOfEach(target)),
      ...(advantage && {
        [ADVANTAGE.nats]: { dtype: "F64", shape: [samples], data: advantage.nats } as const,
        [ADVANTAGE.positions]: counts(advantage.positions),
      }),
    },
    FORMAT,
  );
}

/** @throws InvalidInputError `LOSSES_INVALID` naming the file */
export function readPairedLosses(bytes: Uint8Array, what: string): PairedLosses {
  const { tensors, metadata } = readSafetensors(bytes, what, MAX_OWN_HEADER_BYTES);
  const taken = Object.fromEntries(FIELDS.map((field) => [field, tensors.get(NAMES[field])?.data])) as unknown as Omit<
    PairedLosses,
    "advantage"
  >;
  const samples = taken.sourceNats?.length;
  const isWhole = FIELDS.every((field) => {
    const type = field.endsWith("Nats") ? Float64Array : Int32Array;
    return taken[field] instanceof type && taken[field].length === samples;
  });
  if (metadata.format !== FORMAT.format || metadata.version !== FORMAT.version || !isWhole)
    throw new InvalidInputError("LOSSES_INVALID", `${what}: expected losses of two parties on the same samples`);
  const advantage = takeAdvantage(tensors, taken.targetTokens, what);
  for (let sample = 0; sample < samples; sample++) {
    const { sourceNats, targetNats, answerBytes } = taken;
    const areLosses = Number.isFinite(sourceNats[sample] + targetNats[sample]);
    if (!areLosses || sourceNats[sample] < 0 || targetNats[sample] < 0 || answerBytes[sample] < 1)
      throw new InvalidInputError(
        "LOSSES_INVALID",
        `${what}: sample ${sample}: expected finite losses and at least one answer byte, got ${sourceNats[sample]}, ${targetNats[sample]}, ${answerBytes[sample]}`,
      );
    for (const side of ["source", "target"] as const) {
      const [answer, all] = [taken[`${side}AnswerTokens`][sample], taken[`${side}Tokens`][sample]];
      if (answer < 1 || answer >= all)
        throw new InvalidInputError(
          "LOSSES_INVALID",
          `${what}: sample ${sample}: expected from 1 to ${all - 1} answer tokens of the ${side}, got ${answer}`,
        );
    }
  }
  return { ...taken, advantage };
}

function takeAdvantage(
  tensors: Map<string, Tensor>,
  targetTokens: Int32Array,
  what: string,
): PairedLosses["advantage"] {
  if (!tensors.has(ADVANTAGE.nats) && !tensors.has(ADVANTAGE.positions)) return null;
  const nats = tensors.get(ADVANTAGE.nats)?.data;
  const positions = tensors.get(ADVANTAGE.positions)?.data;
  const samples = targetTokens.length;
  const areBoth = nats instanceof Float64Array && positions instanceof Int32Array;
  if (!areBoth || nats.length !== samples || positions.length !== samples)
    throw new InvalidInputError(
      "LOSSES_INVALID",
      `${what}: expected an advantage in nats and positions of each sample`,
    );
  for (let sample = 0; sample < samples; sample++) {
    const [gained, kept] = [nats[sample], positions[sample]];
    const isWhole = Number.isFinite(gained) && gained >= 0 && kept >= 0 && kept < targetTokens[sample];
    if (!isWhole || (kept === 0 && gained > 0))
      throw new InvalidInputError(
        "LOSSES_INVALID",
        `${what}: sample ${sample}: expected an advantage ≥ 0 at fewer positions than its ${targetTokens[sample]} tokens, got ${gained} at ${kept}`,
      );
  }
  return { nats, positions };
}

function tokensOfEach({ tokenOffsets }: Knowledge): Int32Array {
  return tokenOffsets.slice(1).map((end, sample) => end - tokenOffsets[sample]);
}
