import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, Model } from "../../shared/src/ports/engine.ts";
import { callCli, write } from "./cli.ts";
import { engine } from "./shared-engine.ts";
import { writeTinyModel } from "./tiny-federation.ts";
import { byteLevelTokenizerJson } from "./tiny-tokenizers.ts";

const SENTENCES = [
  "the ship and the shore",
  "a ship waits at the quay",
  "the ship sails and the crew sings",
  "ropes hold the ship",
  "the nurse and the crew",
  "a quiet shore",
];

/** A folder with one random model, `model`, and data of every kind. @returns the folder, to be removed */
export function makeModelFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fedmkt-one-model-"));
  const tokenizer = byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "an", "and", "er", "in", "on"]);
  writeTinyModel(join(folder, "model"), tokenizer as { model: unknown }, 1);
  const lines = (records: object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");
  write(folder, "texts.jsonl", lines(SENTENCES.map((text) => ({ text }))));
  write(folder, "held-out.jsonl", lines(SENTENCES.slice(0, 2).map((text) => ({ text: `${text} again` }))));
  write(
    folder,
    "answers.jsonl",
    lines(SENTENCES.map((text) => ({ prompt: text.slice(0, 6), completion: text.slice(6) }))),
  );
  write(
    folder,
    "questions.jsonl",
    lines([
      { question: "the ship", choices: ["sails", "is a very quiet nurse"], answer: 0 },
      { question: "the nurse", choices: ["and the crew", "ropes"], answer: "ropes" },
    ]),
  );
  return folder;
}

/** The test file's engine as a command has one to itself: closing it closes the command's models alone. */
function ownEngine(): Engine {
  const models: Model[] = [];
  return {
    async open(options) {
      const model = await engine.open(options);
      models.push(model);
      return model;
    },
    close: async () => void (await Promise.all(models.map((model) => model.close()))),
  };
}

/** One command line with the real engine. */
export function callWithEngine(
  folder: string,
  argv: readonly string[],
  {
    changed = (engine) => engine,
    ...more
  }: Parameters<typeof callCli>[2] & { changed?: (engine: Engine) => Engine } = {},
) {
  return callCli(folder, argv.includes("--threads") ? argv : [...argv, "--threads", "1"], {
    createEngine: async () => changed(ownEngine()),
    ...more,
  });
}

/** As {@link callWithEngine}, with --json; fails where the command did. @returns the envelope's data */
export async function dataOf(folder: string, argv: readonly string[], more: Parameters<typeof callWithEngine>[2] = {}) {
  const { stdout } = await callWithEngine(folder, [...argv, "--json"], more);
  const { ok, data, error } = JSON.parse(stdout);
  if (!ok) throw new Error(`${error.code}: ${error.message}`);
  return data;
}
