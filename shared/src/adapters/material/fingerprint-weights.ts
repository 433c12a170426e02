import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { weightFiles } from "../../formats/model-files.ts";

/** Each file is looked at in so many places, evenly spread, the first at its beginning: fine-tuning changes nearly every byte. */
const PLACES = 64;
const PLACE_BYTES = 4096;

/** SHA-256 over each weight file's name, length and a sample of its bytes, in order of name; reads at most 256 KiB a file. */
export async function fingerprintWeights(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const block = new Uint8Array(PLACE_BYTES);
  for (const name of weightFiles(await readdir(folder))) {
    await using file = await open(path.join(folder, name), "r");
    const { size } = await file.stat();
    hash.update(`${name}\0${size}\0`);
    const last = Math.max(0, size - PLACE_BYTES);
    for (let place = 0; place < PLACES; place++) {
      const { bytesRead } = await file.read(block, 0, PLACE_BYTES, Math.floor((last * place) / (PLACES - 1)));
      hash.update(block.subarray(0, bytesRead));
    }
  }
  return hash.digest("hex");
}
