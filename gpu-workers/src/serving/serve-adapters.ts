import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { s3Client } from "@fedmkt/shared/adapters/aws/s3-object-store.ts";
import { S3Registry } from "@fedmkt/shared/adapters/aws/s3-registry.ts";
import { FolderRegistry } from "@fedmkt/shared/adapters/registry/folder-registry.ts";
import { LocalAdapterFolders } from "@fedmkt/shared/adapters/registry/local-adapter-folders.ts";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Registry } from "@fedmkt/shared/ports/registry.ts";
import { identifyBase } from "@fedmkt/shared/use-cases/serving/base-identity.ts";
import { RegistryFollower } from "@fedmkt/shared/use-cases/serving/follow-registry.ts";
import { keepAdaptersLoaded } from "@fedmkt/shared/use-cases/serving/keep-adapters-loaded.ts";
import type { NameTable } from "@fedmkt/shared/use-cases/serving/name-table.ts";
import { type Computing, placeOf } from "./open-computing.ts";
import type { ServingLogger } from "./serving.ts";

/** Given to a server behind to answer in; what it still loads or unloads then is its own matter. */
const CLOSE_MS = 3_000;

export interface ServeAdapters {
  settings: ServingEnvironment;
  computing: Computing;
  names: NameTable;
  logger: ServingLogger;
  onRefused(): void;
}

/** What goes on with the adapters while requests are answered. */
export interface ServedAdapters {
  /** Ends it, and takes away what was fetched. */
  close(): Promise<void>;
}

/**
 * Has adapters served: those of the settings for good, those of the registry as it changes. What the registry has now is served when
 * this resolves, as far as it can be.
 * @throws InvalidInputError where an adapter of the settings does not fit; TransientError
 */
export async function serveAdapters({
  settings,
  computing,
  names,
  logger,
  onRefused,
}: ServeAdapters): Promise<ServedAdapters> {
  await serveNamed(settings.FEDMKT_SERVE_ADAPTERS, names);
  const ending = new AbortController();
  const wait = async (ms: number, signal: AbortSignal) => {
    await sleep(ms, undefined, { signal }).catch(() => {});
  };
  const everyMs = settings.FEDMKT_SERVE_REGISTRY_SECONDS * 1000;
  const going: Promise<void>[] = [];
  let follower: RegistryFollower | null = null;
  const { FEDMKT_SERVE_REGISTRY: place } = settings;
  const folders = place === undefined ? null : await openFolders(settings);
  try {
    if (place !== undefined) {
      follower = new RegistryFollower({
        registry: openRegistry(place),
        folders: folders!,
        ...{ names, material: computing.material, everyMs, wait, nowMs: Date.now, log: logger },
        base: await identifyBase(computing.material, computing.location!),
        party: settings.FEDMKT_SERVE_PARTY ?? null,
        mostAdapters: settings.FEDMKT_SERVE_REGISTRY_ADAPTERS,
        tolerance: settings.FEDMKT_SERVE_GATE_TOLERANCE,
        count: (event) => {
          if (event === "refused") onRefused();
        },
      });
      await follower.look();
      going.push(follower.follow(ending.signal));
    }
  } catch (error) {
    await folders?.close();
    throw error;
  }
  going.push(keepAdaptersLoaded({ names, everyMs, wait, log: logger }, ending.signal));
  return {
    async close() {
      ending.abort();
      const ended = Promise.all(going).then(() => follower?.settled());
      await Promise.race([ended, sleep(CLOSE_MS, undefined, { ref: false })]);
      await folders?.close();
    },
  };
}

async function serveNamed(adapters: Readonly<Record<string, string>>, names: NameTable): Promise<void> {
  for (const [name, given] of Object.entries(adapters)) {
    // in an earlier try, before the server behind went away again
    if (names.describe(name) !== null) continue;
    if (names.has(name))
      throw new InvalidInputError("NAME_TAKEN", `adapter ${name}: expected another name than the base model's`);
    const folder = placeOf(given);
    const adapter = await names.load(names.freeName(name), folder);
    names.serve(name, adapter, { root: folder, lineage: null });
  }
}

function openFolders({ FEDMKT_SERVE_ADAPTER_FOLDER: given }: ServingEnvironment): Promise<LocalAdapterFolders> {
  return LocalAdapterFolders.open(given ?? path.join(tmpdir(), "fedmkt-adapters"));
}

function openRegistry(given: string): Registry {
  return isInS3(given) ? new S3Registry(s3Client(), new URL(given).hostname) : new FolderRegistry(path.resolve(given));
}
