import { artefactKeys, shardName } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { clientsOf, doesServerLearn, SERVER } from "./round-members.ts";

/**
 * Which job's outputs hold what at which moment of a run: the protocol's memory, in one place, a function of plan and round.
 * Adapters change in client-train, client-distil, average-adapters and server-distil; knowledge is extracted in
 * client-train (before distillation), in server-extract (round 1) and in server-distil (every round).
 */
export const ADAPTER = "adapter.safetensors";
/** with which a party's first round began, where its rounds are judged: what an undone one leaves */
export const FRESH_ADAPTER = "fresh-adapter.safetensors";
export const SCORES = "scores.json";
export const ALIGNED = "aligned.safetensors";
export const LOSSES = "losses.safetensors";
export const knowledgeName = (shard: number) => `knowledge/${shardName(shard)}.safetensors`;

interface PartyInRound {
  round: number;
  party: string;
}

/** What a variant's first round shares with its run's: nothing has been transferred or averaged yet. */
const BEFORE_TRANSFER = ["client-train", "server-extract"];

/** The run that a job of a plan's rounds belongs to: a variant's own, or where it is shared the run's. */
function runOfJob({ run, variantOf }: Plan, round: number, stage: string): string {
  return variantOf !== null && round === 1 && BEFORE_TRANSFER.includes(stage) ? variantOf.run : run;
}

/** Where a job's outputs lie, for whoever reads them. */
export function jobFolder(plan: Plan, round: number, stage: string, party: string): string {
  return artefactKeys.job(runOfJob(plan, round, stage), round, stage, party);
}

/**
 * The job that holds a party's adapter when a round begins; null where the adapter is fresh: in the party's first round, unless
 * clients are averaged, when who comes later begins with what the others have made.
 */
export function adapterBeforeRound(plan: Plan, { round, party }: PartyInRound): string | null {
  if (party === SERVER.id)
    return round === 1 || !doesServerLearn(plan.spec) ? null : adapterAfterRound(plan, { round: round - 1, party });
  const first = plan.spec.clients.find(({ id }) => id === party)!.joinsAtRound;
  if (round > first) return adapterAfterRound(plan, { round: round - 1, party });
  return round > 1 && plan.spec.aggregation === "fedavg" ? artefactKeys.averaged(plan.run, round - 1) : null;
}

/** The job that holds a party's adapter when a round in which it learned has ended. */
export function adapterAfterRound(plan: Plan, { round, party }: PartyInRound): string {
  if (party === SERVER.id) return jobFolder(plan, round, "server-distil", party);
  if (plan.spec.aggregation === "fedavg") return artefactKeys.averaged(plan.run, round);
  return jobFolder(plan, round, "client-distil", party);
}

/** A party's knowledge: the job that extracted it, and in which round of which run. */
export interface KnowledgeOf {
  party: string;
  run: string;
  round: number;
  folder: string;
}

function knowledgeIn(plan: Plan, round: number, stage: string, party: string): KnowledgeOf {
  return { party, run: runOfJob(plan, round, stage), round, folder: jobFolder(plan, round, stage, party) };
}

/** The knowledge that a source offers in this round; a server that never trains has that of the first round alone. */
export function knowledgeOffered(plan: Plan, round: number, party: string): KnowledgeOf {
  if (party !== SERVER.id) return knowledgeIn(plan, round, "client-train", party);
  return doesServerLearn(plan.spec)
    ? knowledgeIn(plan, round, "server-distil", party)
    : knowledgeIn(plan, 1, "server-extract", party);
}

/** The target's own knowledge, against which its selection weighs what is offered. */
export function knowledgeOwned(plan: Plan, round: number, party: string): KnowledgeOf {
  if (party !== SERVER.id) return knowledgeOffered(plan, round, party);
  if (round > 1) return knowledgeOffered(plan, round - 1, party);
  return knowledgeIn(plan, round, "server-extract", party);
}

/** From whom a target may learn in a round: the server from every client that takes part, a client from the server. */
export function sourcesOf(plan: Plan, round: number, target: string): string[] {
  return target === SERVER.id ? clientsOf(plan.spec, round).map(({ id }) => id) : [SERVER.id];
}
