import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Serving, ServingLogger, StartServing } from "../../../gpu-workers/src/serving/serving.ts";
import { startServing } from "../../../gpu-workers/src/serving/start-serving.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { adapterConfig } from "../../../shared/src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { identifyBase } from "../../../shared/src/use-cases/serving/base-identity.ts";
import { adapterPlace, publishedAdapter, writeEntry } from "../published-adapter.ts";
import { writeTinyModel } from "../tiny-federation.ts";
import { byteLevelTokenizerJson } from "../tiny-tokenizers.ts";

/** Long answers are under way for a while, however fast the machine is. */
const CONTEXT_TOKENS = 16_384;
const HIDDEN_SIZE = 16;

/** A folder with a random model of a long context, `model`. @returns the folder, to be removed */
export function makeServedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fedmkt-serving-"));
  const model = join(folder, "model");
  writeTinyModel(
    model,
    byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "an", "and", "er", "in", "on"]) as { model: unknown },
    1,
  );
  const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
  writeFileSync(join(model, "config.json"), JSON.stringify({ ...config, max_position_embeddings: CONTEXT_TOKENS }));
  return folder;
}

/** A PEFT folder for that model, whose texts it changes at the first token. @returns its files */
export function writeTinyAdapter(folder: string, weight: number): Record<string, Uint8Array> {
  const layer = "base_model.model.model.layers.0.self_attn.o_proj";
  const half = (shape: number[]) => ({
    ...{ dtype: "F32" as const, shape },
    data: Float32Array.from({ length: 2 * HIDDEN_SIZE }, (_, at) => 3 * Math.sin(weight * (at + 1))),
  });
  const files = {
    "adapter_config.json": adapterConfig({
      baseModel: "model",
      lora: { rank: 2, alpha: 4, dropout: 0, targets: ["o_proj"] },
    }),
    "adapter_model.safetensors": writeSafetensors({
      [`${layer}.lora_A.weight`]: half([2, HIDDEN_SIZE]),
      [`${layer}.lora_B.weight`]: half([HIDDEN_SIZE, 2]),
    }),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return files;
}

/** Puts an adapter for that model into a folder of runs, as a finished run leaves it there. */
export async function publishTinyAdapter(
  folder: string,
  { party, run, second, weight }: { party: string; run: string; second: number; weight: number },
): Promise<void> {
  const runs = join(folder, "runs");
  const base = await identifyBase(new FileMaterial(), join(folder, "model"));
  const { entry } = publishedAdapter({ party, run, second, base });
  const place = adapterPlace(runs, { party, run });
  const written = Object.entries(writeTinyAdapter(place, weight));
  const files = written.map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) }));
  writeEntry(place, encodeJson({ ...entry, adapter: { ...entry.adapter, files } }));
}

export interface TinyEndpoint extends Serving {
  /** what was logged, as `level: message CODE` */
  told: string[];
  /** a request with the endpoint's key */
  ask(path: string, body?: object, more?: RequestInit): Promise<Response>;
}

/** An endpoint with that model on any free port. */
export async function startTinyEndpoint(
  folder: string,
  settings: Record<string, string> = {},
  more: Partial<StartServing> = {},
): Promise<TinyEndpoint> {
  const { told, logger } = recordLog();
  const serving = await startServing({
    variables: {
      FEDMKT_SERVE_MODEL: join(folder, "model"),
      ...{ FEDMKT_SERVE_PORT: "0", FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_THREADS: "1" },
      ...settings,
    },
    ...{ logger, makesKey: true },
    ...more,
  });
  const ask = (path: string, body?: object, init: RequestInit = {}) =>
    fetch(`${serving.url}${path}`, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(serving.key !== null && { authorization: `Bearer ${serving.key}` }),
      },
      ...init,
    });
  return { ...serving, told, ask };
}

export function recordLog(): { told: string[]; logger: ServingLogger } {
  const told: string[] = [];
  const tell =
    (level: string) =>
    (message: string, { code }: Readonly<Record<string, unknown>> = {}) =>
      void told.push([`${level}: ${message}`, code].filter(Boolean).join(" "));
  return { told, logger: { info: tell("info"), warn: tell("warn"), error: tell("error") } };
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** A port that was free just now. */
export async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer();
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { port: number };
    server.close(() => resolve(port));
  });
  return promise;
}
