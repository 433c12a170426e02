import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FileMaterial } from "../../shared/src/adapters/material/file-material.ts";
import { openTemplate } from "../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { createRandom } from "../../shared/src/core/numeric/random.ts";
import { readSampleSet } from "../../shared/src/use-cases/prepare-samples.ts";

/** Domain → its text in the material. Each is what one client holds; a client's id is its domain's. */
const DOMAINS = {
  grimm: "grimms_fairy_tales.txt",
  shakespeare: "tinyshakespeare.txt",
  wikitext: "wikitext2_valid.txt",
  tinystories: "tinystories_train.txt",
} as const;
export type Domain = keyof typeof DOMAINS;
export const DOMAIN_NAMES = Object.keys(DOMAINS) as Domain[];

const SAMPLE_BYTES = 200;

/** Samples of one seed's draw, by domain; the public ones of all domains are joined. */
export interface SampleCounts {
  heldOut: number;
  publicOfEachDomain: number;
  private: number;
  /** by which gates judge; 0 unless given */
  validation?: number;
}

/** A domain's text: its first half for pretraining, its second for everything that a run sees. No text stands in both. */
export interface DomainTexts {
  pretraining: string[];
  pool: string[];
}

/** What one seed draws: nothing stands in two of these sets. */
export interface Draw {
  heldOut: Record<Domain, string[]>;
  private: Record<Domain, string[]>;
  public: string[];
  validation: Record<Domain, string[]>;
}

/**
 * Every domain's samples, cut by the product's own rule: white space collapsed, and characters that the coarsest tokenizer
 * (BabyLlama's 105) lacks dropped for all parties alike, so that both pairs of models are scored on the same bytes.
 */
export async function readDomains(material: string): Promise<Record<Domain, DomainTexts>> {
  const deps = { material: new FileMaterial(), openTokenizer, openTemplate };
  const keepCharactersOf = join(material, "models/babyllama105/tokenizer.json");
  const texts: Partial<Record<Domain, DomainTexts>> = {};
  for (const domain of DOMAIN_NAMES) {
    const path = join(material, "data/text", DOMAINS[domain]);
    const data = { path, collapseWhitespace: true, keepCharactersOf };
    texts[domain] = halve((await readSampleSet(deps, data, SAMPLE_BYTES, domain)).map(({ answer }) => answer));
  }
  return texts as Record<Domain, DomainTexts>;
}

/** The first half as it stands; of the second, what stands nowhere before. */
export function halve(samples: readonly string[]): DomainTexts {
  const half = Math.floor(samples.length / 2);
  const seen = new Set(samples.slice(0, half));
  const pool = samples.slice(half).filter((sample) => !seen.has(sample) && seen.add(sample));
  return { pretraining: samples.slice(0, half), pool };
}

/** Draws a seed's sets from the pools. */
export function drawSamples(texts: Record<Domain, DomainTexts>, seed: number, counts: SampleCounts): Draw {
  const draw = { heldOut: {}, private: {}, public: [] as string[], validation: {} } as Draw;
  for (const domain of DOMAIN_NAMES) {
    const shuffled = createRandom(`transfer/${domain}/${seed}`).shuffle([...texts[domain].pool]);
    const take = (count: number) => {
      if (shuffled.length < count) throw new Error(`${domain}: expected ${count} more samples, got ${shuffled.length}`);
      return shuffled.splice(0, count);
    };
    draw.heldOut[domain] = take(counts.heldOut);
    draw.public.push(...take(counts.publicOfEachDomain));
    draw.private[domain] = take(counts.private);
    draw.validation[domain] = take(counts.validation ?? 0);
  }
  createRandom(`transfer/public/${seed}`).shuffle(draw.public);
  return draw;
}

export type DrawFile = "public" | `${"private" | "heldout" | "validation"}-${Domain | "server"}`;

/**
 * Writes a draw as JSON Lines. The server's validation set is all domains' together, as the public set is.
 * @returns path of each set
 */
export function writeDraw(folder: string, draw: Draw) {
  mkdirSync(folder, { recursive: true });
  const path = (name: DrawFile) => join(folder, `${name}.jsonl`);
  const write = (name: DrawFile, samples: readonly string[]) =>
    writeFileSync(path(name), samples.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  write("public", draw.public);
  for (const domain of DOMAIN_NAMES) {
    write(`private-${domain}`, draw.private[domain]);
    write(`heldout-${domain}`, draw.heldOut[domain]);
    write(`validation-${domain}`, draw.validation[domain]);
  }
  write("validation-server", Object.values(draw.validation).flat());
  return path;
}
