import { type PartySize, type RoundSize, type RunSize, roundsOf, shardsOf } from "./run-size.ts";

/** Everything that the run machine's state holds beside the plan: names, bucket, key, execution. */
const FRAME_BYTES = 700;

/** Bytes of the largest state that a run's machines hold: what plan-run answers, or what a round is given and answers together. */
export function largestPayloadBytes(size: RunSize): number {
  const rounds = roundsOf(size).map((round) => roundBytes(size, round));
  // a round answers with the next one's members
  const together = rounds.map((bytes, index) => bytes + (rounds[index + 1] ?? 0));
  return FRAME_BYTES + Math.max(rounds[0] + plannedBytes(size), ...together);
}

function roundBytes(size: RunSize, { direction, clients, parties }: RoundSize): number {
  const refs = (list: readonly PartySize[]) => list.map(({ id, compute }) => ({ id, compute }));
  const ways = { both: 2, "to-clients": 1, none: 0 }[direction];
  let bytes = JSON.stringify({ clients: refs(clients), parties: refs(parties) }).length;
  for (const { id } of clients)
    for (let shard = 0; shard < shardsOf(size); shard++)
      bytes += ways * (JSON.stringify({ source: id, shard }).length + 1);
  return bytes;
}

/** What plan-run answers beside the first round. */
function plannedBytes(size: RunSize): number {
  let bytes = 0;
  for (const { party } of size.baselines)
    bytes += JSON.stringify({ party, compute: "worker", baseline: "standalone+public" }).length + 1;
  return bytes + size.maps * (JSON.stringify({ source: size.server.id, target: size.clients[0].id }).length + 1);
}
