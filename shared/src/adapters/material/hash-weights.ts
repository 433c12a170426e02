import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { weightFiles } from "../../formats/model-files.ts";

/** SHA-256 over each weight file's name, length and bytes, in order of name; one pass, constant memory. */
export async function hashWeights(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of weightFiles(await readdir(folder))) {
    const file = path.join(folder, name);
    hash.update(`${name}\0${(await stat(file)).size}\0`);
    for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}
