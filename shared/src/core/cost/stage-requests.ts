import { type PartySize, partiesOf, type RoundSize, type RunSize, roundsOf, shardsOf } from "./run-size.ts";

/** What one stage asks of S3 in the whole run, where nothing fails. */
export interface StageRequests {
  stage: string;
  /** times that the stage is done */
  runs: number;
  /** GET and HEAD */
  reads: number;
  /** PUT and LIST, which cost alike */
  writes: number;
  bytesRead: number;
  bytesWritten: number;
}

/** The requests of one thing done once. */
interface Requests {
  reads: number;
  writes: number;
  bytesRead: number;
  bytesWritten: number;
}

const NOTHING: Requests = { reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 };
const read = (requests: number, bytes: number): Requests => ({ ...NOTHING, reads: requests, bytesRead: bytes });
const write = (requests: number, bytes: number): Requests => ({ ...NOTHING, writes: requests, bytesWritten: bytes });

/** Sizes of small documents, rounded up from those that runs wrote. */
const MANIFEST_BYTES = 1_000;
const SCORES_BYTES = 1_000;
const USAGE_BYTES = 250;
const CLAIM_BYTES = 300;
const REPORT_BYTES = 50_000;
const TOKENIZER_BYTES = 2_000_000;
const SHARD_HEADER_BYTES = 2_000;
/** Who is taught over each shard: the server and a client, a client, nobody. */
const WAYS = { both: 2, "to-clients": 1, none: 0 } as const;
/** A variant's plan does not say which others there are, so the usage of all kinds is asked for. */
const VARIANT_KINDS = 3;
const PLAN_BYTES = { base: 4_000, party: 1_000, transfer: 60 } as const;

/** Of a large weight file, places that the fingerprint looks at, and how much at each; a small one is read whole. */
const FINGERPRINT_PLACES = 64;
const FINGERPRINT_BYTES = 4_096;
const WHOLE_BYTES = FINGERPRINT_PLACES * FINGERPRINT_BYTES;

/** Whether a job is done is asked before it, and whether training was written down; of a finished one the manifest is read, and the output. */
const ASKED = read(1, 0);
const FINISHED = read(2, MANIFEST_BYTES);
const output = (bytes: number) => sum(FINISHED, read(1, bytes));
const written = (bytes: number) => write(Math.max(1, Math.ceil(bytes / PART_BYTES)), bytes);
/** Larger objects are written in parts. */
const PART_BYTES = 8 * 1024 * 1024;
const COMMITTED = write(1, MANIFEST_BYTES);

/**
 * What packed shards of real models took, with a tenth to spare: a share of what a set of ids drawn evenly would take, and bits
 * of each log-probability; docs/shards.md gives the measurements. A sample is its id, its loss and its counts.
 */
const PACKED = { shareOfEvenSet: 0.55, bitsPerEntry: 4.5, bytesPerPosition: 4, bytesPerToken: 2, bytesPerSample: 30 };

/**
 * Bytes of a party's knowledge on the whole public set: topK entries at every answer position, all of them kept whatever topP
 * says, since what a model is sure of is not known before it is asked.
 */
export function knowledgeBytes(party: PartySize, size: RunSize): number {
  const kept = Math.min(size.topK, party.vocabularySize);
  const headers = shardsOf(size) * SHARD_HEADER_BYTES;
  if (size.shardEncoding === "plain")
    return party.publicPositions * (12 + 8 * kept) + party.publicTokens * 8 + size.publicSamples * 40 + headers;
  let evenSetBits = 0;
  for (let entry = 0; entry < kept; entry++) evenSetBits += Math.log2((party.vocabularySize - entry) / (entry + 1));
  const entries = (PACKED.shareOfEvenSet * evenSetBits + PACKED.bitsPerEntry * kept) / 8;
  return Math.ceil(
    party.publicPositions * (entries + PACKED.bytesPerPosition) +
      party.publicTokens * PACKED.bytesPerToken +
      size.publicSamples * PACKED.bytesPerSample +
      headers,
  );
}

/** Its translation for a target: at most the source's entries at each of the target's positions. */
export function alignedBytes(source: PartySize, target: PartySize, size: RunSize): number {
  const kept = Math.min(size.topK, source.vocabularySize);
  return target.publicPositions * (12 + 8 * kept) + size.publicSamples * 20 + shardsOf(size) * SHARD_HEADER_BYTES;
}

/**
 * Every stage's requests and bytes, in the machine's order.
 * @param material - whether models and data lie in S3 too, as in a cloud they do
 */
export function stageRequests(size: RunSize, material = true): StageRequests[] {
  const { server, clients } = size;
  const rounds = roundsOf(size);
  const parties = partiesOf(size);
  const shards = shardsOf(size);
  const transfers = clients.length * shards;
  const plan = read(1, PLAN_BYTES.base + PLAN_BYTES.party * parties.length + PLAN_BYTES.transfer * 2 * transfers);
  const publicSet = read(1, size.publicBytes);
  const heldOut = read(size.heldOutSets, size.heldOutSets * size.publicBytes);
  const fromMaterial = (requests: Requests) => (material ? requests : NOTHING);
  const tokenizer = fromMaterial(read(2, TOKENIZER_BYTES));
  const privateSet = fromMaterial(read(1, size.publicBytes));
  // its validation set; no round is reckoned with that is undone: it reads the adapter from before it, and opens the server's model anew
  const judged = ({ validation }: PartySize, requests: Requests) =>
    validation === undefined ? NOTHING : sum(fromMaterial(read(1, validation.bytes)), requests);
  const mapBytes = (source: PartySize, target: PartySize) => 9 * source.vocabularySize + 4 * target.vocabularySize;
  const usage = write(1, USAGE_BYTES);
  const fingerprint = (party: PartySize) => {
    const weights = Math.max(1, party.modelFiles - 2);
    const isSmall = party.modelBytes / weights <= WHOLE_BYTES;
    const [places, bytes] = isSmall ? [1, party.modelBytes / weights] : [FINGERPRINT_PLACES, FINGERPRINT_BYTES];
    return fromMaterial(sum(write(1, 0), read(places * weights, places * weights * bytes)));
  };
  const seen = (party: PartySize) => sum(fromMaterial(read(1, 1_000)), tokenizer, fingerprint(party));
  const downloaded = (party: PartySize) => fromMaterial(sum(write(1, 0), read(party.modelFiles, party.modelBytes)));
  const opened = (party: PartySize) => sum(ASKED, ASKED, plan, seen(party), downloaded(party), usage, COMMITTED);
  const extracted = (party: PartySize) => write(shards, knowledgeBytes(party, size));
  const adapterRead = (party: PartySize) => output(party.adapterBytes);
  const adapterWritten = (party: PartySize) => written(party.adapterBytes);
  const selected = (target: PartySize, sources: readonly PartySize[]) =>
    sum(
      read(1, 8 * size.publicSamples),
      ...sources.map((source) =>
        sum(
          read(1, mapBytes(source, target)),
          times(shards, FINISHED),
          read(shards, alignedBytes(source, target, size)),
        ),
      ),
    );
  const aligned = (source: PartySize, target: PartySize) =>
    sum(
      times(
        shards,
        sum(ASKED, plan, publicSet, FINISHED, FINISHED, read(1, mapBytes(source, target)), tokenizer, tokenizer),
      ),
      read(2 * shards, knowledgeBytes(source, size) + knowledgeBytes(target, size)),
      write(2 * shards, alignedBytes(source, target, size) + 20 * size.publicSamples),
      times(shards, COMMITTED),
    );
  const selects = (sources: number) =>
    sum(plan, times(sources * shards, sum(FINISHED, read(1, 0))), write(1, 8 * size.publicSamples));
  const evaluated = (party: PartySize) => sum(opened(party), adapterRead(party), heldOut, write(1, SCORES_BYTES));
  // a job's usage is read at the end of every later round
  const jobsIn = ({ clients, parties, direction, begun, extracts }: RoundSize) =>
    (begun ? 1 : 2) * clients.length + parties.length + (direction === "both" ? 1 : 0) + (extracts ? 1 : 0);
  const jobsUpTo = (index: number) =>
    rounds.slice(0, index + 1).reduce((sum, round) => sum + jobsIn(round), size.baselines.length);
  const closed = (round: RoundSize, index: number) => {
    const { clients: taking, parties: scored, direction, variant } = round;
    return sum(
      plan,
      variant === null ? NOTHING : plan,
      times(scored.length, sum(output(SCORES_BYTES), direction === "none" ? NOTHING : read(1, 8 * size.publicSamples))),
      direction === "both" ? FINISHED : NOTHING,
      times(2 * taking.length, FINISHED),
      write(scored.length + (variant === null ? size.variants.length : VARIANT_KINDS), 0),
      read(jobsUpTo(index), USAGE_BYTES * jobsUpTo(index)),
      read(index < rounds.length - 1 ? 1 : 0, 0),
      write(1, SCORES_BYTES * scored.length),
    );
  };
  const everyRound = (each: (round: RoundSize, index: number) => Requests) => sum(...rounds.map(each));
  const everyClient = (each: (client: PartySize, round: RoundSize) => Requests) =>
    everyRound((round) => sum(...round.clients.map((client) => each(client, round))));
  const count = (each: (round: RoundSize) => number) => rounds.reduce((total, round) => total + each(round), 0);
  const when = (holds: boolean, requests: Requests) => (holds ? requests : NOTHING);
  const isFirst = (party: PartySize, round: number) => round === (party.joinsAtRound ?? 1);
  // who joins clients that are averaged begins with their average
  const isFresh = (client: PartySize, { round, averages }: RoundSize) =>
    isFirst(client, round) && !(averages && round > 1);
  const isGated = parties.some(({ validation }) => validation !== undefined);

  const rows: [stage: string, runs: number, requests: Requests][] = [
    [
      "plan-run",
      1,
      sum(
        read(1, 10_000),
        ...parties.map(seen),
        fromMaterial(sum(publicSet, heldOut)),
        judged(server, NOTHING),
        write(1, 0),
        write(1, CLAIM_BYTES),
        write(2 + size.variants.length, CLAIM_BYTES + (1 + size.variants.length) * plan.bytesRead),
        write(1, size.publicBytes),
        write(size.heldOutSets, heldOut.bytesRead),
      ),
    ],
    [
      "map-vocabulary",
      size.maps,
      times(size.maps, sum(plan, ASKED, tokenizer, tokenizer, write(1, mapBytes(server, clients[0])))),
    ],
    [
      "run-baseline",
      size.baselines.length,
      sum(
        ...size.baselines.map(({ party: id, trainsOnPrivate, trainsOnPublic, privateTokens }) => {
          const party = parties.find((candidate) => candidate.id === id)!;
          const trains = trainsOnPrivate || trainsOnPublic;
          return sum(
            opened(party),
            trainsOnPrivate ? times(privateTokens === undefined ? 1 : clients.length, privateSet) : NOTHING,
            trainsOnPublic ? publicSet : NOTHING,
            heldOut,
            write(1, SCORES_BYTES),
            trains ? sum(judged(party, NOTHING), adapterWritten(party)) : NOTHING,
          );
        }),
      ),
    ],
    [
      "client-train",
      count(({ begun, clients: taking }) => (begun ? 0 : taking.length)),
      everyClient((client, round) =>
        when(
          !round.begun,
          sum(
            opened(client),
            when(!isFresh(client, round), adapterRead(client)),
            when(!isFirst(client, round.round), FINISHED),
            privateSet,
            judged(client, isFresh(client, round) ? adapterWritten(client) : FINISHED),
            adapterWritten(client),
            when(round.direction !== "none" || isGated, publicSet),
            when(round.direction !== "none", extracted(client)),
          ),
        ),
      ),
    ],
    [
      "server-extract",
      count(({ extracts }) => (extracts ? 1 : 0)),
      everyRound(({ extracts }) => when(extracts, sum(opened(server), publicSet, extracted(server)))),
    ],
    [
      "align-shard",
      count(({ direction, clients: taking }) => WAYS[direction] * taking.length * shards),
      everyClient((client, { direction }) =>
        sum(when(direction === "both", aligned(client, server)), when(direction !== "none", aligned(server, client))),
      ),
    ],
    [
      "select-knowledge",
      count(({ direction, parties: learning }) => (direction === "none" ? 0 : learning.length)),
      everyRound(({ direction, clients: taking }) =>
        sum(
          when(direction === "both", selects(taking.length)),
          when(direction !== "none", times(taking.length, selects(1))),
        ),
      ),
    ],
    [
      "server-distil",
      count(({ direction }) => (direction === "both" ? 1 : 0)),
      everyRound(({ direction, round, clients: taking }) =>
        when(
          direction === "both",
          sum(
            opened(server),
            when(round > 1, adapterRead(server)),
            publicSet,
            judged(server, when(round > 1, times(2, FINISHED))),
            selected(server, taking),
            adapterWritten(server),
            extracted(server),
          ),
        ),
      ),
    ],
    [
      "client-distil",
      count(({ clients: taking }) => taking.length),
      everyClient((client, { direction }) =>
        sum(
          opened(client),
          adapterRead(client),
          publicSet,
          when(direction !== "none", selected(client, [server])),
          judged(client, FINISHED),
          adapterWritten(client),
        ),
      ),
    ],
    [
      "average-adapters",
      count(({ averages }) => (averages ? 1 : 0)),
      everyRound(({ averages, clients: taking }) =>
        when(
          averages,
          sum(
            ASKED,
            plan,
            ...taking.map((client) => sum(FINISHED, adapterRead(client))),
            ...taking.slice(0, 1).map(adapterWritten),
            COMMITTED,
          ),
        ),
      ),
    ],
    [
      "evaluate",
      count(({ parties: scored }) => scored.length),
      everyRound(({ parties: scored }) => sum(...scored.map(evaluated))),
    ],
    ["close-round", rounds.length, everyRound(closed)],
    [
      "publish-run",
      1,
      sum(
        plan,
        write(1, 0),
        read(1, CLAIM_BYTES),
        read(rounds.length, rounds.length * SCORES_BYTES * parties.length),
        times(size.baselines.length, output(SCORES_BYTES)),
        // asks whether an entry is there already: most often there is none, and nothing comes back
        ...parties.map((party) => sum(adapterRead(party), adapterWritten(party), write(3, 4_000), read(1, 0))),
        write(2, REPORT_BYTES),
        write(1, CLAIM_BYTES),
      ),
    ],
  ];
  return rows.map(([stage, runs, requests]) => ({ stage, runs, ...requests }));
}

function sum(...parts: readonly Requests[]): Requests {
  const total = { ...NOTHING };
  for (const part of parts) for (const name of Object.keys(total) as (keyof Requests)[]) total[name] += part[name];
  return total;
}

function times(count: number, one: Requests): Requests {
  const { reads, writes, bytesRead, bytesWritten } = one;
  return {
    reads: count * reads,
    writes: count * writes,
    bytesRead: count * bytesRead,
    bytesWritten: count * bytesWritten,
  };
}
