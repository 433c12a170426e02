import type { FastifyInstance } from "fastify";
import { loadAdapterRequest, unloadAdapterRequest } from "../../contracts/openai/lora-adapters.ts";
import type { ModelList } from "../../contracts/openai/models.ts";
import { readRequest } from "../../contracts/openai/read-request.ts";
import type { RuntimeAdapters, ServedNames } from "../../ports/served-names.ts";
import { modelNotFound, notReady } from "./answer-route.ts";
import { requireAdmin } from "./authorise.ts";

/** `GET /health`: the process lives. `GET /ready`: answers can be computed, and requests may come. */
export function addProbeRoutes(app: FastifyInstance, takesRequests: () => boolean): void {
  app.get("/health", () => ({ status: "ok" }));
  app.get("/ready", () => {
    if (!takesRequests()) throw notReady();
    return { status: "ready" };
  });
}

/** `GET /v1/models`, one of them by its id, and what the registry has that is not served. */
export function addNameRoutes(app: FastifyInstance, names: ServedNames, isReady: () => boolean): void {
  const list = () => {
    if (!isReady()) throw notReady();
    return names.list();
  };
  app.get("/v1/models", (): ModelList => ({ object: "list", data: list() }));
  // ids may have slashes
  app.get<{ Params: { "*": string } }>("/v1/models/*", ({ params: { "*": id } }) => {
    const found = list().find((model) => model.id === id);
    if (found === undefined) throw modelNotFound(id);
    return found;
  });
  app.get("/v1/registry", () => names.registry());
}

/** vLLM's calls, with its words of success. */
export function addAdapterRoutes(app: FastifyInstance, adapters: RuntimeAdapters, isReady: () => boolean): void {
  const refuseEarly = () => {
    if (!isReady()) throw notReady();
  };
  app.post("/v1/load_lora_adapter", async ({ body, call }, reply) => {
    requireAdmin(call.holder!);
    refuseEarly();
    const { lora_name, lora_path, load_inplace } = readRequest(LOAD, body, "pass");
    await adapters.load(lora_name, lora_path, load_inplace === true);
    return reply.type("text/plain; charset=utf-8").send(`Success: LoRA adapter '${lora_name}' added successfully.`);
  });
  app.post("/v1/unload_lora_adapter", async ({ body, call }, reply) => {
    requireAdmin(call.holder!);
    refuseEarly();
    const { lora_name } = readRequest(UNLOAD, body, "pass");
    await adapters.unload(lora_name);
    return reply.type("text/plain; charset=utf-8").send(`Success: LoRA adapter '${lora_name}' removed successfully.`);
  });
}

const LOAD = { schema: loadAdapterRequest, passing: loadAdapterRequest, own: [], neutral: {} };
const UNLOAD = { schema: unloadAdapterRequest, passing: unloadAdapterRequest, own: [], neutral: {} };
