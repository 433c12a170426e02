import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeLikeGrain } from "./like-grain.ts";
import { drawSamples, readDomains, type SampleCounts, writeDraw } from "./texts.ts";

const COUNTS: SampleCounts = { heldOut: 40, publicOfEachDomain: 15, private: 60, validation: 16 };
const IDENTITY = "identity.txt";

/**
 * Makes what the experiments on text domains need and the folder lacks: the models of like grain, under `models/like-grain`, and
 * each seed's draw of samples, under `texts/SEED`.
 *
 * @param material - where the texts lie
 * @throws Error where the folder holds the draw of another text or of other counts
 */
export async function prepareTexts(folder: string, material: string, seeds: readonly number[]): Promise<void> {
  const texts = await readDomains(material);
  for (const seed of seeds) {
    const draw = drawSamples(texts, seed, COUNTS);
    const identity = createHash("sha256").update(JSON.stringify(draw)).digest("hex");
    const marker = join(folder, "texts", String(seed), IDENTITY);
    if (existsSync(marker) && readFileSync(marker, "utf8") !== identity)
      throw new Error(
        `${join(folder, "texts", String(seed))}: expected this seed's samples, found others; remove the cache`,
      );
    writeDraw(join(folder, "texts", String(seed)), draw);
    writeFileSync(marker, identity);
  }
  await makeLikeGrain(join(folder, "models/like-grain"), texts);
}
