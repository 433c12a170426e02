import type { Lineage, ModelObject } from "../../contracts/openai/models.ts";
import { InvariantError } from "../../core/errors.ts";
import type { Inference, ServedModel } from "../../ports/inference.ts";
import type { RegistryState, ResolvedModel, ServedNames } from "../../ports/served-names.ts";

const OWNER = "fedmkt";

/** An adapter that whoever computes has loaded, until it is retired. */
export interface LoadedAdapter {
  /** towards the Inference port */
  readonly name: string;
  readonly folder: string;
}

/** How an adapter is told of. */
export interface AdapterDescription {
  /** its folder or key */
  root: string;
  lineage: Lineage | null;
}

interface Holding extends LoadedAdapter {
  /** answers that use it, and requests that wait */
  pins: number;
  /** from then on nothing new begins with it */
  retiring: boolean;
  /** it was to be unloaded, and was not */
  isLeftOver: boolean;
  onFree: () => void;
}

interface Name extends AdapterDescription {
  holding: Holding;
  createdSeconds: number;
}

/**
 * Which names are served and by which loaded adapter. A name goes from one adapter to the next at once, between two requests: what was
 * resolved before keeps the adapter it began with, which is unloaded when the last such answer has ended.
 */
export class NameTable implements ServedNames {
  readonly #inference: Inference;
  readonly #model: ServedModel;
  readonly #nowMs: () => number;
  readonly #createdSeconds: number;
  readonly #names = new Map<string, Name>();
  readonly #holdings = new Map<string, Holding>();
  readonly #loading = new Set<string>();
  #registry: () => RegistryState = () => ({ readAt: null, failure: null, refused: [] });

  /** @param nowMs - milliseconds since the epoch */
  constructor(inference: Inference, model: ServedModel, nowMs: () => number) {
    this.#inference = inference;
    this.#model = model;
    this.#nowMs = nowMs;
    this.#createdSeconds = Math.floor(nowMs() / 1000);
  }

  list(): ModelObject[] {
    const { id, contextTokens } = this.#model;
    const common = { object: "model" as const, owned_by: OWNER, max_model_len: contextTokens };
    const base = { id, ...common, created: this.#createdSeconds, root: id, parent: null, lineage: null };
    const adapters = [...this.#names]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, { root, lineage, createdSeconds }]) => ({
        id: name,
        ...common,
        created: createdSeconds,
        root,
        parent: id,
        lineage: lineage && { ...lineage },
      }));
    return [base, ...adapters];
  }

  resolve(model: string): ResolvedModel | null {
    if (model === this.#model.id) return { adapter: null, release: () => {} };
    const holding = this.#names.get(model)?.holding;
    if (holding === undefined) return null;
    holding.pins++;
    let released = false;
    return {
      adapter: holding.name,
      release: () => {
        if (released) return;
        released = true;
        if (--holding.pins === 0) holding.onFree();
      },
    };
  }

  registry(): RegistryState {
    return this.#registry();
  }

  /** What follows a registry tells how that stands. */
  tellRegistry(state: () => RegistryState): void {
    this.#registry = state;
  }

  has(name: string): boolean {
    return name === this.#model.id || this.#names.has(name);
  }

  /** Adapters in memory that no name leads to any more: answers still use them, or they were not unloaded. */
  get retiring(): number {
    return [...this.#holdings.values()].filter(({ retiring }) => retiring).length;
  }

  /** How the adapter of a name is told of; null: there is no such name, or it is the base model's. */
  describe(name: string): AdapterDescription | null {
    const { root, lineage } = this.#names.get(name) ?? {};
    return root === undefined ? null : { root, lineage: lineage ?? null };
  }

  /** A name towards the Inference port, as wished where no adapter that is loaded, or being loaded, bears it. */
  freeName(wish: string): string {
    for (let number = 1; ; number++) {
      const name = number === 1 ? wish : `${wish}#${number}`;
      if (!this.#holdings.has(name) && !this.#loading.has(name)) return name;
    }
  }

  /**
   * Has an adapter loaded; no name leads to it yet.
   * @param name - from {@link freeName}, in the same turn
   * @throws InvalidInputError where it does not fit the base, TransientError
   */
  async load(name: string, folder: string): Promise<LoadedAdapter> {
    if (this.#holdings.has(name) || this.#loading.has(name))
      throw new InvariantError("ADAPTER_LOADED", `${name}: expected a name that no loaded adapter bears`);
    this.#loading.add(name);
    try {
      await this.#inference.loadAdapter({ name, folder });
      const holding: Holding = { name, folder, pins: 0, retiring: false, isLeftOver: false, onFree: () => {} };
      this.#holdings.set(name, holding);
      return holding;
    } finally {
      this.#loading.delete(name);
    }
  }

  /** Has a name lead to an adapter from now on. @returns the one it led to before, to be retired; null: none */
  serve(name: string, adapter: LoadedAdapter, description: AdapterDescription): LoadedAdapter | null {
    const holding = this.#holdings.get(adapter.name);
    if (holding !== adapter || holding.retiring)
      throw new InvariantError("ADAPTER_UNLOADED", `${name}: expected a loaded adapter, ${adapter.name} is none`);
    const former = this.#names.get(name)?.holding ?? null;
    this.#names.set(name, { ...description, holding, createdSeconds: Math.floor(this.#nowMs() / 1000) });
    return former;
  }

  /** Takes a name away. @returns the adapter it led to, to be retired; null: there was no such name */
  withdraw(name: string): LoadedAdapter | null {
    const former = this.#names.get(name)?.holding ?? null;
    this.#names.delete(name);
    return former;
  }

  /**
   * Has an adapter unloaded that no name leads to any more, once its answers have ended; resolves then.
   * @throws TransientError where it was not unloaded: {@link restore} tries it again
   */
  async retire(adapter: LoadedAdapter): Promise<void> {
    const holding = this.#holdings.get(adapter.name);
    if (holding !== adapter || holding.retiring) return;
    holding.retiring = true;
    if (holding.pins > 0)
      await new Promise<void>((resolve) => {
        holding.onFree = resolve;
      });
    try {
      await this.#unload(holding);
    } catch (cause) {
      holding.isLeftOver = true;
      throw cause;
    }
  }

  async #unload(holding: Holding): Promise<void> {
    await this.#inference.unloadAdapter(holding.name);
    this.#holdings.delete(holding.name);
  }

  /**
   * Has loaded again what a server behind has lost, since it was started anew, and unloaded what it did not unload when it was to; one
   * that it refuses keeps no other from it.
   * @returns names of those that were loaded
   * @throws TransientError while the server is not there; InvalidInputError where it refuses an adapter that it had
   */
  async restore(): Promise<string[]> {
    // what is loaded while the server is asked may be missing from its answer
    const held = [...this.#holdings.values()];
    const there = new Set(await this.#inference.loadedAdapters());
    const restored: string[] = [];
    let failure: unknown = null;
    for (const holding of held) {
      const { name, folder } = holding;
      const isOver = () => this.#holdings.get(name) !== holding || (holding.retiring && holding.pins === 0);
      if (!holding.isLeftOver && (there.has(name) || isOver())) continue;
      try {
        if (holding.isLeftOver) {
          await this.#unload(holding);
          continue;
        }
        await this.#inference.loadAdapter({ name, folder });
        if (isOver()) await this.#inference.unloadAdapter(name);
        else restored.push(name);
      } catch (cause) {
        failure ??= cause;
      }
    }
    if (failure !== null) throw failure;
    return restored;
  }
}
