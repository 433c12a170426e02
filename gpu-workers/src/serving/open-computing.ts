import { randomInt, randomUUID } from "node:crypto";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { S3Material, s3MaterialClient } from "@fedmkt/shared/adapters/aws/s3-material.ts";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { LocatedMaterial } from "@fedmkt/shared/adapters/material/located-material.ts";
import { openTemplate } from "@fedmkt/shared/adapters/templates/open-template.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import { UpstreamInference } from "@fedmkt/shared/adapters/upstream/upstream-inference.ts";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { createEngine } from "@fedmkt/shared/engine/engine.ts";
import type { Inference } from "@fedmkt/shared/ports/inference.ts";
import type { Material } from "@fedmkt/shared/ports/material.ts";
import { MAX_CONFIG_BYTES } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import { openEngineInference } from "@fedmkt/shared/use-cases/serving/engine-inference.ts";
import { modelName } from "./model-name.ts";
import type { ServingLogger, ServingRoom } from "./serving.ts";
import { servingRoom } from "./serving-room.ts";

/** As run.yaml's `threads`. */
const MAX_THREADS = 256;
const MEBIBYTE = 1024 ** 2;
/** Given to native code to end its threads in; what still computes then goes with the process. */
const CLOSE_MS = 3_000;

/** What computes the answers. */
export interface Computing {
  inference: Inference;
  /** reads whatever this process may, here and in S3 */
  material: Material;
  /** the base model's folder, here or in S3; null: a server behind has it alone */
  location: string | null;
  hasChat: boolean;
  /** null: a server behind computes */
  room: ServingRoom | null;
  close(): Promise<void>;
}

/**
 * Opens the model with the engine of this process, or names the server behind, which need not be there yet.
 * @throws InvalidInputError `DEVICE_UNAVAILABLE`, and what opening the model, its tokenizer and its template throws
 */
export async function openComputing(settings: ServingEnvironment, logger: ServingLogger): Promise<Computing> {
  const material = new LocatedMaterial(
    new S3Material(s3MaterialClient(), path.join(tmpdir(), "fedmkt-models")),
    new FileMaterial(),
  );
  const { FEDMKT_SERVE_MODEL: model, FEDMKT_SERVE_UPSTREAM: url, FEDMKT_SERVE_NAME: name } = settings;
  const location = model === undefined ? null : placeOf(model);
  if (url !== undefined) {
    const inference = new UpstreamInference({ url, key: settings.FEDMKT_SERVE_UPSTREAM_KEY, id: name });
    return { inference, material, location, hasChat: false, room: null, close: () => inference.close() };
  }
  return openEngine(settings, location!, material, logger);
}

async function openEngine(
  settings: ServingEnvironment,
  location: string,
  material: Material,
  logger: ServingLogger,
): Promise<Computing> {
  const { FEDMKT_DEVICE: device, FEDMKT_SERVE_CONCURRENT: concurrent, FEDMKT_SERVE_THREADS: threads } = settings;
  const id = settings.FEDMKT_SERVE_NAME ?? modelName(location, settings.FEDMKT_SERVE_REGISTRY !== undefined);
  const prefixBytes = settings.FEDMKT_SERVE_PREFIX_MEBIBYTES * MEBIBYTE;
  const config = `${location}/config.json`;
  const room = servingRoom(await material.read(config, MAX_CONFIG_BYTES), config, { device, heldBytes: prefixBytes });
  if (room.tokens === 0)
    logger.warn("the model's weights leave no room for texts: this machine will swap, or end the process", { ...room });
  const engine = createEngine(device, (graph, placement) => logger.info("placed", { graph, ...placement }));
  const close = () =>
    Promise.race([engine.close(), new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
  try {
    const inference = await openEngineInference(
      { engine, material, openTokenizer, openTemplate },
      {
        newId: () => randomUUID().replaceAll("-", ""),
        nowSeconds: () => Math.floor(Date.now() / 1000),
        newSeed: () => randomInt(2 ** 47),
      },
      {
        id,
        location,
        contextTokens: settings.FEDMKT_SERVE_CONTEXT,
        threads: threads ?? Math.min(availableParallelism(), MAX_THREADS),
        generation: { concurrent, prefixBytes },
      },
    );
    return { inference, material, location, hasChat: inference.hasChat, room, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A place of the settings as the material takes it: absolute, and without a slash behind it. */
export function placeOf(given: string): string {
  return isInS3(given) ? given.replace(/\/+$/, "") : path.resolve(given);
}
