import type { RunSpec } from "../contracts/run-spec.ts";
import type { RoundMembers } from "../contracts/stages.ts";

/** The server's jobs run in the coordinator's own cluster, always. */
export const SERVER = { id: "server", compute: "ecs" } as const;

type Stay = Pick<RunSpec["clients"][number], "joinsAtRound" | "leavesAfterRound">;

/** Whether a client takes part in a round. */
export function takesPart({ joinsAtRound, leavesAfterRound = Number.POSITIVE_INFINITY }: Stay, round: number): boolean {
  return joinsAtRound <= round && round <= leavesAfterRound;
}

/** A round's clients, in the spec's order: there is at least one. */
export function clientsOf(spec: RunSpec, round: number): RunSpec["clients"] {
  return spec.clients.filter((client) => takesPart(client, round));
}

/**
 * A party's last round up to one: what its adapter and its scores are of, once that one is closed.
 * @returns null where it has had none: it comes later, or it is a server that never trains
 */
export function lastRoundOf(spec: RunSpec, party: string, round: number): number | null {
  if (party === SERVER.id) return doesServerLearn(spec) ? round : null;
  const { joinsAtRound, leavesAfterRound = round } = spec.clients.find(({ id }) => id === party)!;
  return joinsAtRound > round ? null : Math.min(leavesAfterRound, round);
}

export function doesServerLearn({ distillation: { direction } }: RunSpec): boolean {
  return direction === "both";
}

/** Who learns from whom, and from which of their shards, in a round; who is scored after it: whoever learned. */
export function membersOf(spec: RunSpec, shards: number, round: number): RoundMembers {
  const clients = clientsOf(spec, round).map(({ id, compute }) => ({ id, compute }));
  const { direction } = spec.distillation;
  const places = Array.from({ length: shards }, (_, shard) => shard);
  return {
    clients,
    parties: doesServerLearn(spec) ? [SERVER, ...clients] : clients,
    toServer:
      direction === "both" ? clients.flatMap(({ id: source }) => places.map((shard) => ({ source, shard }))) : [],
    toClients:
      direction === "none" ? [] : clients.flatMap(({ id: target }) => places.map((shard) => ({ target, shard }))),
  };
}
