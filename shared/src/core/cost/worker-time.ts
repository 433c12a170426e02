import type { Accelerator } from "./accelerators.ts";
import { isInRound, type PartySize, partiesOf, type RunSize, roundsOf } from "./run-size.ts";

/** Forward through a model: one multiplication and one addition a weight and token. */
const FORWARD_FLOPS = 2;
/** Forward and back; frozen weights have no gradient of their own, and LoRA's are few. */
const TRAINING_FLOPS = 4;

/** Assumptions about what is not computing. */
export const WORKER_ASSUMPTIONS = {
  /** from RunTask to the process's first line: a machine from nothing, the image, CUDA; paid for, but not in the process's own time */
  startSeconds: 180,
  /** of the process: opening the model, reading and writing shards */
  openSeconds: 30,
  /** a gp3 volume's own speed */
  downloadBytesPerSecond: 125e6,
} as const;

/** One worker job. Round 0: before the first. */
export interface WorkerJob {
  /** of a round that is a variant's; null: the run's own */
  variant: string | null;
  stage: string;
  party: string;
  round: number;
  /** tokens that are trained on and tokens that are only read, epochs counted */
  trainedTokens: number;
  readTokens: number;
  flops: number;
}

/** Every worker job of a run, in the machine's order. */
export function workerJobs(size: RunSize): WorkerJob[] {
  const jobs: WorkerJob[] = [];
  let variant: string | null = null;
  const add = (stage: string, round: number, party: PartySize, trainedTokens: number, readTokens: number) =>
    jobs.push({
      variant,
      stage,
      party: party.id,
      round,
      trainedTokens,
      readTokens,
      flops: party.parameters * (TRAINING_FLOPS * trainedTokens + FORWARD_FLOPS * readTokens),
    });
  const { server, rounds } = size;
  const privately = (party: PartySize) => party.privateTokens * party.privateEpochs;
  const publicly = (party: PartySize) => party.publicTokens * party.publicEpochs;
  const judged = (party: PartySize) => party.validation?.tokens ?? 0;
  for (const { party: id, trainsOnPrivate, trainsOnPublic, privateTokens } of size.baselines) {
    const party = partiesOf(size).find((candidate) => candidate.id === id)!;
    const ownTokens = { ...party, privateTokens: privateTokens ?? party.privateTokens };
    const perRound = (trainsOnPrivate ? privately(ownTokens) : 0) + (trainsOnPublic ? publicly(party) : 0);
    const trainedRounds = Array.from({ length: rounds }).filter((_, index) => isInRound(party, index + 1)).length;
    const validated = trainsOnPrivate || trainsOnPublic ? (trainedRounds + 1) * judged(party) : 0;
    add("run-baseline", 0, party, trainedRounds * perRound, party.heldOutTokens + validated);
  }
  for (const { round, direction, begun, extracts, clients, parties, ...of } of roundsOf(size)) {
    variant = of.variant;
    const shown = (party: PartySize) => (direction === "none" ? 0 : party.publicTokens);
    // an adapter that no judged job has made is scored before it is trained
    const unscored = (party: PartySize) => (of.averages || round === (party.joinsAtRound ?? 1) ? judged(party) : 0);
    if (!begun)
      for (const client of clients)
        add("client-train", round, client, privately(client), shown(client) + unscored(client));
    if (extracts) add("server-extract", round, server, 0, server.publicTokens);
    if (direction === "both") {
      const validated = judged(server) * (round === 1 ? 2 : 1);
      add("server-distil", round, server, publicly(server), server.publicTokens + validated);
    }
    for (const client of clients) add("client-distil", round, client, publicly(client), judged(client));
    for (const party of parties) add("evaluate", round, party, 0, party.heldOutTokens);
  }
  return jobs;
}

/** What a job takes of its process: this is what a run's budget counts. */
export function processSeconds(job: WorkerJob, party: PartySize, { flopsPerSecond }: Accelerator): number {
  const { openSeconds, downloadBytesPerSecond } = WORKER_ASSUMPTIONS;
  return openSeconds + party.modelBytes / downloadBytesPerSecond + job.flops / flopsPerSecond;
}

/** Memory that training needs: the weights as float32 (16-bit files are widened), and a quarter more for activations and workspace. */
export function workerMemoryBytes({ parameters, adapterBytes }: PartySize): number {
  return parameters * 4 * 1.25 + adapterBytes * 4;
}
