import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunSpecInput } from "../../../shared/src/contracts/run-spec.ts";
import { writeTinyModel } from "../tiny-federation.ts";
import { byteLevelTokenizerJson, characterTokenizerJson, sentencePieceTokenizerJson } from "../tiny-tokenizers.ts";

/** Which clients the cloud's own cluster computes for, and which compute at their own site. */
export const CLIENTS = { harbour: "ecs", clinic: "ecs", orchard: "worker", quarry: "worker" } as const;
export type Client = keyof typeof CLIENTS;
export const CLIENT_NAMES = Object.keys(CLIENTS) as Client[];
export const SITES = CLIENT_NAMES.filter((client) => CLIENTS[client] === "worker");
type Party = Client | "server";

const LOWER = "abcdefghijklmnopqrstuvwxyz";

/** Five vocabularies that nobody shares: two kinds of pieces, characters, and two of byte-level merges. */
const TOKENIZERS: Record<Party, object> = {
  server: byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "an", "and", "er", "in", "on"]),
  harbour: sentencePieceTokenizerJson(["▁s", "▁sh", "▁shi", "▁ship", "▁t", "▁th", "▁the", "sh", "an", "and"]),
  clinic: characterTokenizerJson(`${LOWER}${LOWER.toUpperCase()} .,`),
  orchard: byteLevelTokenizerJson(["Ġa", "Ġap", "Ġapp", "Ġappl", "ee", "tr", "tre"]),
  quarry: sentencePieceTokenizerJson(["▁r", "▁ro", "▁roc", "▁rock", "▁t", "st", "sto", "ston", "stone"]),
};

const PRIVATE: Record<Client, string[]> = {
  harbour: ["the ship and the shore", "a ship waits at the quay", "ropes hold the ship", "the crew sings at sea"],
  clinic: ["the ward and the nurse", "a ward is quiet at night", "beds fill the ward", "the doctor comes at noon"],
  orchard: ["the apple and the tree", "a tree stands in the row", "apples fill the crate", "bees visit the tree"],
  quarry: ["the stone and the rock", "a rock rests on the ledge", "drills open the stone", "dust lies on the rock"],
};
const PUBLIC = [
  "the ship carries the stone",
  "the nurse eats an apple",
  "the doctor waits at the quay",
  "a quiet tree by the shore",
  "the rock and the ward",
];
const HELD_OUT = ["the crew and the nurse", "a stone in the tree"];

/** Where one deployment keeps material: folders of models by party, the public set, the shared held-out set, private sets by client. */
export interface Places {
  model(party: Party): string;
  shared(name: "public" | "held-out"): string;
  privateSet(client: Client): string;
}

/** Models and data of the federation, below a folder of this machine. */
export interface FourClients {
  /** places of this machine */
  here: Places;
  /** a model's files, by name */
  modelFiles(party: Party): Record<string, Uint8Array>;
  shared(name: "public" | "held-out"): Uint8Array;
  privateSet(client: Client): Uint8Array;
}

/**
 * The smallest federation with every kind of client: four that share no vocabulary, two of them with a site of their own, and a server;
 * random models of a few thousand parameters, four sentences each. Private sets are also held out, each for its owner alone.
 */
export function writeFourClients(folder: string): FourClients {
  const here: Places = {
    model: (party) => join(folder, "models", party),
    shared: (name) => join(folder, "shared", `${name}.jsonl`),
    privateSet: (client) => join(folder, "private", `${client}.jsonl`),
  };
  for (const [index, party] of (Object.keys(TOKENIZERS) as Party[]).entries())
    writeTinyModel(here.model(party), TOKENIZERS[party], index + 11);
  for (const name of ["shared", "private"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(here.shared("public"), lines(PUBLIC));
  writeFileSync(here.shared("held-out"), lines(HELD_OUT));
  for (const client of CLIENT_NAMES) writeFileSync(here.privateSet(client), lines(PRIVATE[client]));
  return {
    here,
    modelFiles: (party) =>
      Object.fromEntries(
        readdirSync(here.model(party)).map((name) => [name, readFileSync(join(here.model(party), name))]),
      ),
    shared: (name) => readFileSync(here.shared(name)),
    privateSet: (client) => readFileSync(here.privateSet(client)),
  };
}

/** Two rounds of the federation, the same but for where its material lies. */
export function fourClientSpec(name: string, places: Places): RunSpecInput {
  const training = { learningRate: 1e-2, batchSize: 2, privateEpochs: 1, publicEpochs: 1 };
  const lora = { rank: 2, alpha: 4, targets: "all-linear" as const };
  return {
    name,
    seed: 7,
    rounds: 2,
    sampleBytes: 48,
    samplesPerShard: 3,
    server: { model: places.model("server"), lora, training },
    clients: CLIENT_NAMES.map((id) => ({
      id,
      compute: CLIENTS[id],
      model: places.model(id),
      private: places.privateSet(id),
      lora,
      training,
    })),
    public: [places.shared("public")],
    evaluation: [
      { name: "shared", data: places.shared("held-out") },
      ...CLIENT_NAMES.map((id) => ({ name: id, data: places.privateSet(id), owner: id })),
    ],
    distillation: { lambda: 0.5, topK: 16 },
    baselines: ["standalone"],
  };
}

function lines(sentences: readonly string[]): string {
  return sentences.map((text) => `${JSON.stringify({ text })}\n`).join("");
}
