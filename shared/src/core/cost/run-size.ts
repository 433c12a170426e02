import type { MachineSize, RoundStates } from "./machine-states.ts";

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
  /** the set that its rounds are judged by: in its own tokens, and as it lies; unless given there is none */
  validation?: { tokens: number; bytes: number };
  privateEpochs: number;
  publicEpochs: number;
  /** the rounds that it takes part in; unless given all */
  joinsAtRound?: number;
  leavesAfterRound?: number;
}

/** A baseline job: whose, and on which sets it trains in every round. */
export interface BaselineSize {
  party: string;
  trainsOnPrivate: boolean;
  trainsOnPublic: boolean;
  /** of all private sets that it trains on, where that is not the party's own */
  privateTokens?: number;
}

/** A baseline that is a run of its own, of as many rounds. */
export interface VariantSize {
  name: string;
  direction: RoundStates["direction"];
  averages: boolean;
  /** whether it trains on the public set */
  trainsOnPublic: boolean;
}

/** One round of the run, or of a variant. */
export interface RoundSize {
  /** null: the run itself */
  variant: string | null;
  round: number;
  direction: RoundStates["direction"];
  averages: boolean;
  /** a variant's first round, whose beginning is its run's */
  begun: boolean;
  /** whether the server extracts its knowledge by itself */
  extracts: boolean;
  clients: PartySize[];
  /** who learns, and is scored after it; the server first */
  parties: PartySize[];
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
  direction: RoundStates["direction"];
  averages: boolean;
  heldOutSets: number;
  baselines: BaselineSize[];
  variants: VariantSize[];
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

/** Whether a party takes part in a round. */
export function isInRound({ joinsAtRound = 1, leavesAfterRound = Number.POSITIVE_INFINITY }: PartySize, round: number) {
  return joinsAtRound <= round && round <= leavesAfterRound;
}

/** Every round of the run and then of its variants, in their order. */
export function roundsOf(size: RunSize): RoundSize[] {
  const own = { name: null, direction: size.direction, averages: size.averages, trainsOnPublic: true };
  return [own, ...size.variants].flatMap(({ name, direction, averages, trainsOnPublic }) =>
    Array.from({ length: size.rounds }, (_, index): RoundSize => {
      const round = index + 1;
      const trained = (party: PartySize) => (trainsOnPublic ? party : { ...party, publicEpochs: 0 });
      const clients = size.clients.filter((client) => isInRound(client, round)).map(trained);
      return {
        variant: name,
        round,
        direction,
        averages,
        begun: name !== null && round === 1,
        extracts: name === null && round === 1 && direction !== "none",
        clients,
        parties: direction === "both" ? [size.server, ...clients] : clients,
      };
    }),
  );
}

export function machineSizeOf(size: RunSize): MachineSize {
  const shards = shardsOf(size);
  return {
    maps: size.maps,
    baselines: size.baselines.length,
    rounds: roundsOf(size).map(({ direction, averages, begun, extracts, clients, parties }) => ({
      clients: clients.length,
      parties: parties.length,
      toServer: direction === "both" ? clients.length * shards : 0,
      toClients: direction === "none" ? 0 : clients.length * shards,
      direction,
      averages,
      begun,
      extracts,
    })),
  };
}
