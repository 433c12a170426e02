import { partiesOf, type RunSize, shardsOf } from "./run-size.ts";

/** Everything that the run machine's state holds beside the plan: names, bucket, key, execution. */
const FRAME_BYTES = 700;

/** Bytes of the largest state that a run's machines hold: what plan-run answers, which names every transfer. */
export function planPayloadBytes(size: RunSize): number {
  const shards = shardsOf(size);
  const parties = partiesOf(size).map(({ id, compute }) => ({ id, compute }));
  const clients = parties.slice(1);
  let bytes = FRAME_BYTES + JSON.stringify({ clients, parties }).length;
  for (const { id } of clients)
    for (let shard = 0; shard < shards; shard++)
      bytes += 2 * (JSON.stringify({ source: id, target: size.server.id, shard }).length + 1);
  for (const { party } of size.baselines)
    bytes += JSON.stringify({ party, compute: "worker", baseline: "standalone+public" }).length + 1;
  return bytes + size.maps * (JSON.stringify({ source: size.server.id, target: clients[0].id }).length + 1);
}
