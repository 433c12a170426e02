import { checkWritten } from "../core/alignment/check-written.ts";
import { type EncodedText, encodeSample } from "../core/alignment/encode-sample.ts";
import { formatSampleId, type Sample } from "../core/samples/sample.ts";
import type { Model, OpenModel } from "../ports/engine.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { WorkerDependencies } from "./dependencies.ts";

/** A model, open for work, with its tokenizer. */
export interface TokenizedModel {
  model: Model;
  tokenizer: Tokenizer;
  encode: (sample: Sample) => EncodedText;
  /** as encode, for a text whose loss is compared with others': every byte of its answer must have been written */
  encodeScored: (sample: Sample) => EncodedText;
}

/**
 * Opens a model folder's weights beside its tokenizer.
 * @param location - of the folder
 * @param party - whose it is, for errors; none where a model is worked with for itself
 */
export async function openTokenizedModel(
  { engine, material }: Pick<WorkerDependencies, "engine" | "material">,
  location: string,
  tokenizer: Tokenizer,
  options: Omit<OpenModel, "folder">,
  party?: string,
): Promise<TokenizedModel> {
  const model = await engine.open({ ...options, folder: await material.folder(location) });
  const whose = party === undefined ? "" : `${party}: `;
  const encode = (sample: Sample) => encodeSample(sample, tokenizer, model.contextTokens, party);
  const encodeScored = (sample: Sample) => {
    const encoded = encode(sample);
    checkWritten(encoded, tokenizer.vocabulary.roles.unknown, `${whose}sample ${formatSampleId(sample.id)}`);
    return encoded;
  };
  return { model, tokenizer, encode, encodeScored };
}
