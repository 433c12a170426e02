import { createHash } from "node:crypto";
import type { HttpDependencies, HttpSettings } from "../../../shared/src/adapters/http/http-settings.ts";
import { type HttpLayer, startHttpLayer } from "../../../shared/src/adapters/http/start-http-layer.ts";
import { holdKeys } from "../../../shared/src/adapters/keys/held-keys.ts";
import type { ApiKey } from "../../../shared/src/contracts/api-keys.ts";
import { RefusedRequest } from "../../../shared/src/contracts/openai/errors.ts";
import type { ModelObject } from "../../../shared/src/contracts/openai/models.ts";
import type { RegistryState, RuntimeAdapters, ServedNames } from "../../../shared/src/ports/served-names.ts";
import { ScriptedInference } from "./scripted-inference.ts";

export const LINEAGE = {
  party: "clinic-a",
  run: "run-3",
  rounds: 2,
  specHash: "a".repeat(64),
  publishedAt: "2026-11-01T00:00:00.000Z",
  baseWeights: "b".repeat(64),
};

const model = (id: string, more: Partial<ModelObject> = {}): ModelObject => ({
  id,
  object: "model",
  created: 1_790_000_000,
  owned_by: "fedmkt",
  root: id,
  parent: null,
  max_model_len: 2048,
  lineage: null,
  ...more,
});

/** A base model, an adapter with lineage, and one whose id has a slash; counts who holds what. */
class FixedNames implements ServedNames {
  held = 0;
  #models = [
    model("base"),
    model("clinic-a", { root: "runs/run-3/adapters/clinic-a", parent: "base", lineage: LINEAGE }),
    model("team/own", { root: "/adapters/own", parent: "base" }),
  ];

  /** Has a name vanish, as a registry does. */
  forget(name: string): void {
    this.#models = this.#models.filter(({ id }) => id !== name);
  }

  list(): ModelObject[] {
    return structuredClone(this.#models);
  }

  resolve(name: string) {
    if (!this.#models.some(({ id }) => id === name)) return null;
    this.held++;
    let released = false;
    return {
      adapter: name === "base" ? null : name,
      release: () => {
        if (!released) this.held--;
        released = true;
      },
    };
  }

  registry(): RegistryState {
    return {
      readAt: "2026-11-02T00:00:00.000Z",
      failure: null,
      refused: [{ party: "clinic-b", run: "run-4", code: "ADAPTER_INVALID", reason: "expected rank 8, got 4" }],
    };
  }
}

/** Keeps what it is told; refuses as the port says. */
class RememberedAdapters implements RuntimeAdapters {
  readonly folders = new Map<string, string>();

  async load(name: string, folder: string, inPlace: boolean): Promise<void> {
    if (folder === "/missing")
      throw new RefusedRequest("ADAPTER_MISSING", `No adapter found for ${folder}`, {
        status: 404,
        type: "NotFoundError",
      });
    if (this.folders.has(name) && !inPlace)
      throw new RefusedRequest("ADAPTER_LOADED", `The lora adapter '${name}' has already been loaded.`, {
        type: "InvalidUserInput",
      });
    this.folders.set(name, folder);
  }

  async unload(name: string): Promise<void> {
    if (!this.folders.delete(name))
      throw new RefusedRequest("ADAPTER_MISSING", `The lora adapter '${name}' cannot be found.`, {
        status: 404,
        type: "NotFoundError",
      });
  }
}

/** A key that the layer under test knows. */
export const KEY = `fedmkt-${"k".repeat(43)}`;
export const ADMIN_KEY = `fedmkt-${"a".repeat(43)}`;

export const keyEntry = (key: string, more: Partial<ApiKey> & { id: string }): ApiKey => ({
  sha256: createHash("sha256").update(key).digest("hex"),
  ...more,
});

const KEYS = holdKeys({
  version: 1,
  keys: [keyEntry(KEY, { id: "somebody" }), keyEntry(ADMIN_KEY, { id: "operator", admin: true })],
});

/** So short that an attack by slowness ends within a test, and so long that a busy machine's own slowness is none. */
export const HOSTILE_LIMITS = { headersMs: 5000, requestMs: 10_000, checkMs: 100, stallMs: 300, connections: 256 };

export interface StartedLayer extends HttpLayer {
  inference: ScriptedInference;
  names: FixedNames;
  adapters: RememberedAdapters;
  /** every line of the log, as JSON */
  log: string[];
}

/** The HTTP layer on any free port of loopback, in front of a scripted inference. */
export async function startLayer(
  settings: Partial<HttpSettings> = {},
  dependencies: Partial<HttpDependencies> & { inference?: ScriptedInference } = {},
): Promise<StartedLayer> {
  const inference = dependencies.inference ?? new ScriptedInference();
  const names = new FixedNames();
  const adapters = new RememberedAdapters();
  const log: string[] = [];
  const write = (level: string) => (message: string, facts: Record<string, unknown>) => {
    log.push(JSON.stringify({ level, message, ...facts }));
  };
  const layer = await startHttpLayer(
    {
      names,
      keys: KEYS,
      adapters,
      isReady: () => true,
      log: { info: write("info"), warn: write("warn"), error: write("error") },
      ...dependencies,
      inference,
    },
    {
      host: "127.0.0.1",
      port: 0,
      metricsPort: null,
      concurrent: 4,
      queued: 16,
      otherFields: "refuse",
      tls: null,
      ...settings,
    },
  );
  return { ...layer, inference, names, adapters, log };
}

/** Waits until something holds, looking every few milliseconds; fails after five seconds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 5000;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error("expected it to hold within 5 s, it does not");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
