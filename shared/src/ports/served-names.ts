import type { ModelObject } from "../contracts/openai/models.ts";

/** What computes the answers to one name, held until it is released. */
export interface ResolvedModel {
  /** as the Inference port knows it; null: the base model alone */
  adapter: string | null;
  /** Whoever unloads the adapter waits for this; calls after the first do nothing. */
  release(): void;
}

/** An adapter of the registry that is not served, and why. */
export interface RefusedAdapter {
  party: string;
  run: string;
  /** an error's code, such as `ADAPTER_INVALID` */
  code: string;
  reason: string;
}

/** What `GET /v1/registry` tells. */
export interface RegistryState {
  /** ISO time of the last look that succeeded; null: none yet, or there is no registry */
  readAt: string | null;
  /** why the looks since then have failed: what is served stays meanwhile */
  failure: { code: string; reason: string } | null;
  refused: RefusedAdapter[];
}

/** Which names are served just now, and by what: adapters come and go while requests are answered. */
export interface ServedNames {
  /** the base model first, then adapters by id; a copy */
  list(): ModelObject[];
  /** null: there is no such name. What it gives must be released. */
  resolve(model: string): ResolvedModel | null;
  registry(): RegistryState;
}

/** Adapters that an operator loads and unloads by vLLM's calls. */
export interface RuntimeAdapters {
  /**
   * @param inPlace - whether the name may be in use: then its adapter is replaced
   * @throws RefusedRequest with vLLM's status and type: 400 where the name is in use or the adapter does not fit, 404 where there is no such folder
   */
  load(name: string, folder: string, inPlace: boolean): Promise<void>;
  /** Resolves once no new answer begins with it. @throws RefusedRequest 404 where there is no such name */
  unload(name: string): Promise<void>;
}
