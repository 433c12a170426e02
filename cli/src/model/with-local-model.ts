import { statSync } from "node:fs";
import { resolve } from "node:path";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { openTemplate } from "@fedmkt/shared/adapters/templates/open-template.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import { type LoraSpec, loraSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import { describePlacement } from "@fedmkt/shared/engine/node-placement.ts";
import type { PeftAdapter } from "@fedmkt/shared/formats/peft-adapter.ts";
import type { Device } from "@fedmkt/shared/ports/engine.ts";
import { openTokenizedModel, type TokenizedModel } from "@fedmkt/shared/use-cases/open-model.ts";
import { modelTokenizer } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import type { CommandContext } from "../command.ts";
import { readAdapter } from "./read-adapter.ts";

export interface LocalModelOptions {
  /** folder, absolute */
  model: string;
  /** "all": every weight is trained; null: nothing is */
  lora: LoraSpec | "all" | null;
  adapter: Uint8Array | null;
  device: Device;
  threads: number;
  seed: number;
}

/** Where a single model's files and data are read from: this machine, all that the process may read. */
export const LOCAL_FILES = { material: new FileMaterial(), openTokenizer, openTemplate };

/**
 * Looked at before anything is read for the model: a name on a hub is the likeliest mistake.
 * @param shown - the folder as it was given
 * @throws InvalidInputError `MODEL_FILE_MISSING`
 */
export async function requireModelFolder(model: string, shown: string): Promise<void> {
  if (!statSync(model, { throwIfNoEntry: false })?.isDirectory())
    throw new InvalidInputError(
      "MODEL_FILE_MISSING",
      `${shown}: expected a model's folder on this machine, found none; of a model on the Hugging Face hub "hf download NAME --local-dir FOLDER" makes one`,
    );
  await LOCAL_FILES.material.folder(model);
}

/**
 * Opens a model on this machine, works with it, and closes the engine however the work ends. Ctrl-C closes the model under the work,
 * unless the work puts itself down.
 *
 * @throws TransientError `STOPPED_BY_HAND`
 */
export async function withLocalModel<T>(
  { args, io: { signal, stderr }, dependencies }: CommandContext,
  { model, lora, adapter, device, threads, seed }: LocalModelOptions,
  work: (open: TokenizedModel) => Promise<T>,
  putsItselfDown: () => boolean = () => false,
): Promise<T> {
  const tokenizer = await modelTokenizer(LOCAL_FILES, model);
  const engine = await dependencies.createEngine(device, (graph, placement) => {
    const line = `${graph}: ${describePlacement(placement)}`;
    stderr.write(`${args.json === true ? JSON.stringify({ event: "placed", graph, ...placement }) : line}\n`);
  });
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= engine.close();
    return closed;
  };
  const cutOff = () => {
    if (!putsItselfDown()) void close();
  };
  signal.addEventListener("abort", cutOff, { once: true });
  try {
    if (signal.aborted) throw stoppedByHand();
    const open = await openTokenizedModel({ engine, material: LOCAL_FILES.material }, model, tokenizer, {
      lora: lora === "all" ? null : lora,
      adapter,
      seed,
      threads,
      trainable: lora === "all" ? "all" : "lora",
    });
    return await work(open);
  } catch (error) {
    if (signal.aborted && !putsItselfDown()) throw stoppedByHand();
    throw error;
  } finally {
    signal.removeEventListener("abort", cutOff);
    await close();
  }
}

export const STOPPED = "STOPPED_BY_HAND";

function stoppedByHand(): TransientError {
  return new TransientError(STOPPED, "stopped by hand before it was done");
}

/** The options that open a model to be looked at: with the adapter that `--adapter` names, if any. */
export function readOnly({
  args,
  io,
}: Pick<CommandContext, "args" | "io">): Pick<LocalModelOptions, "model" | "lora" | "adapter" | "seed"> {
  const model = resolve(io.cwd, args.model as string);
  const given = args.adapter as string | undefined;
  if (given === undefined) return { model, lora: null, adapter: null, seed: 0 };
  const adapter = readAdapter(resolve(io.cwd, given), given);
  return { model, lora: loraOf(adapter, given), adapter: adapter.widened(), seed: 0 };
}

/** An adapter's shape as LoRA settings, without dropout. @throws InvalidInputError `ADAPTER_INVALID` */
export function loraOf({ rank, alpha, targets }: PeftAdapter, what: string): LoraSpec {
  const parsed = loraSpec.safeParse({ rank, alpha, targets, dropout: 0 });
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new InvalidInputError("ADAPTER_INVALID", `${what}: ${path.join(".")}: ${message}`);
}
