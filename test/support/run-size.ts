import type { PartySize, RunSize } from "../../shared/src/core/cost/run-size.ts";

/** A party of a small model, to be changed as a test likes. */
export function partySize(given: Partial<PartySize> = {}): PartySize {
  return {
    id: "harbour",
    compute: "ecs",
    parameters: 1e9,
    modelBytes: 2e9,
    modelFiles: 3,
    adapterBytes: 4e6,
    vocabularySize: 32_000,
    publicTokens: 100_000,
    publicPositions: 20_000,
    privateTokens: 100_000,
    heldOutTokens: 50_000,
    privateEpochs: 1,
    publicEpochs: 1,
    ...given,
  };
}

/** A run of one round, one server and one client, likewise. */
export function runSize(given: Partial<RunSize> = {}): RunSize {
  return {
    rounds: 1,
    publicSamples: 1_000,
    publicBytes: 400_000,
    samplesPerShard: 64,
    topK: 128,
    shardEncoding: "packed",
    maps: 2,
    direction: "both",
    averages: false,
    heldOutSets: 1,
    baselines: [],
    variants: [],
    server: partySize({ id: "server", parameters: 7e9, privateTokens: 0 }),
    clients: [partySize()],
    ...given,
  };
}
