import { mkdirSync, writeFileSync } from "node:fs";
import { commons } from "./domains/commons.ts";
import { harbour } from "./domains/harbour.ts";
import { ward } from "./domains/ward.ts";
import { workshop } from "./domains/workshop.ts";
import { type Domain, ownSubjects, ownText, tradeText } from "./grammar.ts";
import { SeededRandom } from "./seeded-random.ts";

/** The three organisations; a client's id is its domain's. */
export const DOMAINS: readonly Domain[] = [ward, harbour, workshop];

/** The longest sample the grammars may write, in UTF-8 bytes: run.yaml's `sampleBytes`. */
export const SAMPLE_BYTES = 160;

const SIZES = { heldOut: 40, private: 96, publicOfEachDomain: 60 } as const;

/** Texts an organisation's model was pretrained on: its own archive, and everyday text. */
const CLIENT_PRETRAINING = { own: 5000, ofEachOtherTrade: 2000, commons: 1000 } as const;

/** Texts the server's model was pretrained on: all trades without anybody's facts, and everyday text. */
const SERVER_PRETRAINING = { ofEachTrade: 4000, commons: 4000 } as const;

export interface QuickstartCorpora {
  /** file name below examples/quickstart/data → samples */
  files: Map<string, string[]>;
  /** party → texts of its pretraining, which are not committed: they are made again when needed */
  pretraining: Map<string, string[]>;
}

/** Writes everything from the one seed. No text stands in two of: held-out, public, private, pretraining. */
export function buildCorpora(seed: string): QuickstartCorpora {
  const files = new Map<string, string[]>();
  const pretraining = new Map<string, string[]>();
  const heldOutOfAll: [string, string[]][] = [];
  const published: string[] = [];
  const taken = new Set<string>();
  const unique = (count: number, write: () => string) => {
    const texts: string[] = [];
    while (texts.length < count) {
      const text = write();
      if (taken.has(text) || Buffer.byteLength(text) > SAMPLE_BYTES) continue;
      taken.add(text);
      texts.push(text);
    }
    return texts;
  };

  for (const domain of DOMAINS) {
    const subjects = ownSubjects(domain, new SeededRandom(`${seed}/${domain.id}/facts`));
    const random = new SeededRandom(`${seed}/${domain.id}/texts`);
    const write = () => ownText(domain, subjects, random);
    heldOutOfAll.push([`heldout-${domain.id}.jsonl`, unique(SIZES.heldOut, write)]);
    published.push(...unique(SIZES.publicOfEachDomain, write));
    files.set(`${domain.id}.jsonl`, unique(SIZES.private, write));
    const everyday = new SeededRandom(`${seed}/${domain.id}/commons`);
    pretraining.set(domain.id, [
      ...unique(CLIENT_PRETRAINING.own, write),
      ...DOMAINS.filter((other) => other !== domain).flatMap((other) =>
        unique(CLIENT_PRETRAINING.ofEachOtherTrade, () => tradeText(other, everyday)),
      ),
      ...unique(CLIENT_PRETRAINING.commons, () => tradeText(commons, everyday)),
    ]);
  }
  const mixed = new SeededRandom(`${seed}/public`);
  files.set("public.jsonl", mixed.sample(published, published.length));
  for (const [name, texts] of heldOutOfAll) files.set(name, texts);

  const random = new SeededRandom(`${seed}/server`);
  pretraining.set("server", [
    ...DOMAINS.flatMap((domain) => unique(SERVER_PRETRAINING.ofEachTrade, () => tradeText(domain, random))),
    ...unique(SERVER_PRETRAINING.commons, () => tradeText(commons, random)),
  ]);
  return { files, pretraining };
}

/** The seed of the committed material. */
export const QUICKSTART_SEED = "fedmkt-quickstart-1";

/** `{"text": …}`, one a line. */
export function toJsonLines(samples: readonly string[]): string {
  return samples.map((text) => `${JSON.stringify({ text })}\n`).join("");
}

if (import.meta.main) {
  const folder = new URL("../../examples/quickstart/data/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [name, samples] of buildCorpora(QUICKSTART_SEED).files) {
    writeFileSync(new URL(name, folder), toJsonLines(samples));
    process.stdout.write(`${name}: ${samples.length} samples\n`);
  }
}
