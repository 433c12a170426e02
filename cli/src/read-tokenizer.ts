import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import type { Tokenizer } from "@fedmkt/shared/ports/tokenizer.ts";
import { MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import type { CommandContext } from "./command.ts";

/**
 * A tokenizer from its file alone, or of a model's folder. Where it stands in one as tokenizer.json, config.json beside it says
 * which tokens open and end a text; else the tokenizer itself says so.
 *
 * @param file - as it was given
 * @throws InvalidInputError `FILE_MISSING`, and what the tokenizer's reader refuses
 */
export async function readTokenizer({ io }: Pick<CommandContext, "io">, file: string): Promise<Tokenizer> {
  const place = resolve(io.cwd, file);
  const path = statSync(place, { throwIfNoEntry: false })?.isDirectory() ? join(place, "tokenizer.json") : place;
  const json = await new FileMaterial().read(path, MAX_TOKENIZER_BYTES);
  const beside = join(dirname(path), "config.json");
  const config =
    basename(path) === "tokenizer.json" && existsSync(beside)
      ? await new FileMaterial().read(beside, MAX_CONFIG_BYTES)
      : new TextEncoder().encode("{}");
  return openTokenizer(json, config, file);
}
