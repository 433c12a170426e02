import { RefusedRequest } from "../../contracts/openai/errors.ts";
import { FedmktError, InvalidInputError } from "../../core/errors.ts";
import { MAX_ADAPTER_CONFIG_BYTES } from "../../formats/peft-adapter.ts";
import type { Material } from "../../ports/material.ts";
import type { RuntimeAdapters } from "../../ports/served-names.ts";
import type { LoadedAdapter, NameTable } from "./name-table.ts";
import type { RegistryLog } from "./refusals.ts";

const INVALID = { status: 400, type: "InvalidUserInput" } as const;
const NOT_FOUND = { status: 404, type: "NotFoundError" } as const;

/** What says that there is no adapter in a folder, or that it may not be looked for there. */
const NO_FOLDER = new Set(["FILE_MISSING", "ACCESS_DENIED", "LOCATION_OUTSIDE"]);

/**
 * Adapters that an operator loads by hand: vLLM's calls. A name goes from one adapter to the next as a registry's does, so replacing
 * one in place breaks no answer. A registry's names are the registry's.
 *
 * @see https://docs.vllm.ai/en/latest/features/lora/ and vllm/entrypoints/openai/serving_models.py, whose statuses, types and messages these are
 */
export class NamedByHand implements RuntimeAdapters {
  readonly #names: NameTable;
  readonly #material: Pick<Material, "read">;
  readonly #root: string;
  readonly #log: RegistryLog;

  /**
   * @param material - reads below the root folder alone, links followed
   * @param root - what relative folders are below
   */
  constructor(names: NameTable, material: Pick<Material, "read">, root: string, log: RegistryLog) {
    this.#names = names;
    this.#material = material;
    this.#root = root;
    this.#log = log;
  }

  async load(name: string, folder: string, inPlace: boolean): Promise<void> {
    this.#refuseTaken(name, inPlace);
    const place = folder.startsWith("/") ? folder : `${this.#root}/${folder}`;
    const adapter = await this.#loaded(name, folder, place);
    try {
      // another call, or the registry, may have been quicker
      this.#refuseTaken(name, inPlace);
    } catch (refusal) {
      this.#retire(adapter);
      throw refusal;
    }
    const former = this.#names.serve(name, adapter, { root: place, lineage: null });
    if (former !== null) this.#retire(former);
  }

  async unload(name: string): Promise<void> {
    const described = this.#names.describe(name);
    if (described === null)
      throw new RefusedRequest("ADAPTER_UNKNOWN", `The lora adapter '${name}' cannot be found.`, NOT_FOUND);
    if (described.lineage !== null) throw ofRegistry(name);
    this.#retire(this.#names.withdraw(name)!);
  }

  #refuseTaken(name: string, inPlace: boolean): void {
    if (!this.#names.has(name)) return;
    const described = this.#names.describe(name);
    if (described === null) throw new RefusedRequest("NAME_TAKEN", `The name '${name}' is the base model's.`, INVALID);
    if (described.lineage !== null) throw ofRegistry(name);
    if (!inPlace)
      throw new RefusedRequest(
        "NAME_TAKEN",
        `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`,
        INVALID,
      );
  }

  async #loaded(name: string, folder: string, place: string): Promise<LoadedAdapter> {
    try {
      await this.#material.read(`${place}/adapter_config.json`, MAX_ADAPTER_CONFIG_BYTES);
    } catch (cause) {
      if (cause instanceof InvalidInputError && NO_FOLDER.has(cause.code))
        throw new RefusedRequest("ADAPTER_UNKNOWN", `No adapter found for '${folder}'.`, NOT_FOUND, { cause });
      throw cause;
    }
    try {
      return await this.#names.load(this.#names.freeName(name), place);
    } catch (cause) {
      if (cause instanceof InvalidInputError)
        throw new RefusedRequest("ADAPTER_INVALID", cause.message, INVALID, { cause });
      throw cause;
    }
  }

  #retire(adapter: LoadedAdapter): void {
    this.#names.retire(adapter).catch((cause: Error) => {
      const code = cause instanceof FedmktError ? cause.code : "UNEXPECTED";
      this.#log.warn("adapter not unloaded", { adapter: adapter.name, code, reason: cause.message });
    });
  }
}

function ofRegistry(name: string): RefusedRequest {
  return new RefusedRequest(
    "NAME_TAKEN",
    `The lora adapter '${name}' is the registry's: it changes and vanishes with its entries there.`,
    INVALID,
  );
}
