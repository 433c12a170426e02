import { artefactKeys, shardName } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";

/**
 * Which job's outputs hold what at which moment of a run: the protocol's memory, in one place.
 * Adapters change in client-train, client-distil, average-adapters and server-distil; knowledge is extracted in
 * client-train (before distillation), in server-extract (round 1) and in server-distil (every round).
 */
export const ADAPTER = "adapter.safetensors";
export const SCORES = "scores.json";
export const ALIGNED = "aligned.safetensors";
export const LOSSES = "losses.safetensors";
export const knowledgeName = (shard: number) => `knowledge/${shardName(shard)}.safetensors`;

interface PartyInRound {
  round: number;
  party: string;
}

/** The job that holds a party's adapter when a round begins; null in round 1: the adapter is fresh. */
export function adapterBeforeRound(plan: Plan, { round, party }: PartyInRound): string | null {
  return round === 1 ? null : adapterAfterRound(plan, { round: round - 1, party });
}

/** The job that holds a party's adapter when a round has ended. */
export function adapterAfterRound(plan: Plan, { round, party }: PartyInRound): string {
  if (party === "server") return artefactKeys.job(plan.run, round, "server-distil", party);
  if (plan.spec.aggregation === "fedavg") return artefactKeys.averaged(plan.run, round);
  return artefactKeys.job(plan.run, round, "client-distil", party);
}

/** A party's knowledge: the job that extracted it, and in which round. */
export interface KnowledgeOf {
  party: string;
  round: number;
  folder: string;
}

/** The knowledge that a source offers in this round. */
export function knowledgeOffered(plan: Plan, round: number, party: string): KnowledgeOf {
  const stage = party === "server" ? "server-distil" : "client-train";
  return { party, round, folder: artefactKeys.job(plan.run, round, stage, party) };
}

/** The target's own knowledge, against which its selection weighs what is offered. */
export function knowledgeOwned(plan: Plan, round: number, party: string): KnowledgeOf {
  if (party !== "server") return knowledgeOffered(plan, round, party);
  if (round > 1) return knowledgeOffered(plan, round - 1, party);
  return { party, round, folder: artefactKeys.job(plan.run, round, "server-extract", party) };
}

/** From whom a target may learn: the server from every client, a client from the server. */
export function sourcesOf(plan: Plan, target: string): string[] {
  return target === "server" ? plan.spec.clients.map((client) => client.id) : ["server"];
}
