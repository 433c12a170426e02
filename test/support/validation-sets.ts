import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TinySpec } from "./tiny-federation.ts";

const SENTENCES = {
  server: ["the crew and the doctor", "a ship passes the shore"],
  ships: ["the crew waits at the shore", "a ship and the ropes"],
  wards: ["the nurse waits at night", "a ward and the beds"],
};

/** The tiny federation with a gate, and held-out sentences for each of its parties. */
export function withGate(folder: string, spec: TinySpec, tolerance = 0): TinySpec {
  const path = (party: string) => join(folder, "data", `${party}-validation.jsonl`);
  for (const [party, sentences] of Object.entries(SENTENCES))
    writeFileSync(path(party), sentences.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  return {
    ...spec,
    gate: { tolerance },
    server: { ...spec.server, validation: path("server") },
    clients: spec.clients.map((client) => ({ ...client, validation: path(client.id) })),
  };
}

/** The spec with another peak learning rate for one of its parties. */
export function withRate(spec: TinySpec, party: string, learningRate: number): TinySpec {
  return changed(spec, party, (given) => ({ ...given, training: { ...given.training, learningRate } }));
}

/** What nobody's sentences lead to: whoever learns these gets worse at it. */
const UNLIKE = ["ZQXJKV ZQXJ", "JXQZVK, VKZ", "QQZZ XXJJ KKVV"];

/** A gated spec in which every round makes one of its parties worse on its validation set. */
export function withHarm(folder: string, spec: TinySpec, party: string): TinySpec {
  const path = join(folder, "data", `${party}-unlike.jsonl`);
  writeFileSync(path, UNLIKE.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  return changed(withRate(spec, party, 0.1), party, (given) => ({ ...given, validation: path }));
}

function changed(spec: TinySpec, party: string, change: <Given extends TinySpec["server"]>(given: Given) => Given) {
  if (party === "server") return { ...spec, server: change(spec.server) };
  return { ...spec, clients: spec.clients.map((client) => (client.id === party ? change(client) : client)) };
}
