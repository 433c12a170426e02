import type { MachineSize } from "./machine-states.ts";

/** What a party's part of a run costs by. */
export interface PartySize {
  id: string;
  /** where its jobs run: in the coordinator's account, or on a machine that somebody else pays */
  compute: "ecs" | "worker";
  parameters: number;
  /** the model's files as they lie in S3 */
  modelBytes: number;
  modelFiles: number;
  /** the LoRA adapter, float32 */
  adapterBytes: number;
  vocabularySize: number;
  /** in its own tokens */
  publicTokens: number;
  /** answer positions of the public set: each carries knowledge */
  publicPositions: number;
  /** a client's; the server has none */
  privateTokens: number;
  /** of every held-out set that it is scored on, each answer of a question counted */
  heldOutTokens: number;
  privateEpochs: number;
  publicEpochs: number;
}

/** A baseline job: whose, and on which sets it trains in every round. */
export interface BaselineSize {
  party: string;
  trainsOnPrivate: boolean;
  trainsOnPublic: boolean;
}

/** All that a run's cost is reckoned from. */
export interface RunSize {
  rounds: number;
  publicSamples: number;
  /** the public set as it lies in S3 */
  publicBytes: number;
  samplesPerShard: number;
  /** entries of the next-token distribution that are kept */
  topK: number;
  shardEncoding: "packed" | "plain";
  maps: number;
  averages: boolean;
  heldOutSets: number;
  baselines: BaselineSize[];
  server: PartySize;
  clients: PartySize[];
}

/** Slices of the public set. */
export function shardsOf({ publicSamples, samplesPerShard }: RunSize): number {
  return Math.ceil(publicSamples / samplesPerShard);
}

/** The server first. */
export function partiesOf({ server, clients }: RunSize): PartySize[] {
  return [server, ...clients];
}

export function machineSizeOf(size: RunSize): MachineSize {
  const { rounds, clients, maps, baselines, averages } = size;
  return { rounds, clients: clients.length, shards: shardsOf(size), maps, baselines: baselines.length, averages };
}
