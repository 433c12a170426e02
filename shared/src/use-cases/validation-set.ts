import type { Plan } from "../contracts/plan.ts";
import { partySpec } from "../contracts/run-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import type { Sample } from "../core/samples/sample.ts";
import { countShared } from "../core/samples/shared-samples.ts";
import { writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import type { OpenParty } from "./open-party.ts";
import { readHeldOutSet } from "./prepare-samples.ts";
import { scoreTexts, totalLoss } from "./score-samples.ts";

/** A party's held-out data, by which its rounds are judged. */
export interface ValidationSet {
  samples: Sample[];
  /** over the samples, in their order */
  hash: string;
}

/** What a party learns from, by the name it has in errors. */
export type TrainingSets = Readonly<Record<string, readonly Sample[]>>;

/**
 * Reads a party's validation set, where it lies, as whoever owns it.
 *
 * @returns null where the party's rounds are not judged
 * @throws InvalidInputError `DATASET_EMPTY`; `VALIDATION_OVERLAPS` where it shares samples with what the party trains on
 */
export async function readValidationSet(
  deps: Parameters<typeof readHeldOutSet>[0],
  { spec }: Pick<Plan, "spec">,
  party: string,
  trainedOn: TrainingSets,
): Promise<ValidationSet | null> {
  const data = partySpec(spec, party).validation;
  if (spec.gate === undefined || data === undefined) return null;
  const what = `${party === "server" ? "" : "client "}${party}: validation`;
  const samples = await readHeldOutSet(deps, data, spec.sampleBytes, what);
  if (samples.length === 0) throw new InvalidInputError("DATASET_EMPTY", `${what}: expected samples, found none`);
  for (const [name, others] of Object.entries(trainedOn)) {
    const shared = countShared(samples, others);
    if (shared > 0)
      throw new InvalidInputError(
        "VALIDATION_OVERLAPS",
        `${what}: expected samples that the party does not train on, but ${shared} of ${samples.length} are in the ${name} set too`,
      );
  }
  return { samples, hash: sha256(writeSamples(samples)) };
}

/**
 * A model's loss on a validation set, in bits per byte: of the answers alone, in batches as evaluation has them.
 * @returns null where it is not a finite number, which training can bring a model to
 */
export async function validate(open: OpenParty, { samples }: ValidationSet): Promise<number | null> {
  try {
    const { nats, bytes } = totalLoss(await scoreTexts(open, samples, open.training.batchSize));
    return bitsPerByte(nats, bytes);
  } catch (error) {
    if (error instanceof InvalidInputError && error.code === "MODEL_NOT_FINITE") return null;
    throw error;
  }
}
