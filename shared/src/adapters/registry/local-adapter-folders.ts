import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import type { AdapterFolders } from "../../ports/registry.ts";

/** Below a folder that this process alone uses, so that another one's adapters, or an earlier one's, are never met. */
export class LocalAdapterFolders implements AdapterFolders {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** @param folder - made where it is missing; what computes must see it under the same path */
  static async open(folder: string): Promise<LocalAdapterFolders> {
    const place = path.resolve(folder);
    await mkdir(place, { recursive: true });
    return new LocalAdapterFolders(await mkdtemp(path.join(place, "registry-")));
  }

  async make(name: string): Promise<string> {
    const folder = path.join(this.#root, name);
    await rm(folder, { recursive: true, force: true });
    // the root too: what cleans /tmp up takes away what nobody has touched for days
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }

  /** Takes all of them away. */
  async close(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}
