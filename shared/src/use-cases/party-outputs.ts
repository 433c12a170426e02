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

/** The job that holds the knowledge a source offers in this round. */
export function knowledgeOffered(plan: Plan, round: number, source: string): string {
  return artefactKeys.job(plan.run, round, source === "server" ? "server-distil" : "client-train", source);
}

/** The job that holds the target's own knowledge, against which its selection weighs what is offered. */
export function knowledgeOwned(plan: Plan, round: number, target: string): string {
  if (target !== "server") return artefactKeys.job(plan.run, round, "client-train", target);
  if (round === 1) return artefactKeys.job(plan.run, 1, "server-extract", target);
  return artefactKeys.job(plan.run, round - 1, "server-distil", target);
}

/** From whom a target may learn: the server from every client, a client from the server. */
export function sourcesOf(plan: Plan, target: string): string[] {
  return target === "server" ? plan.spec.clients.map((client) => client.id) : ["server"];
}
