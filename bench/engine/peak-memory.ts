import { readFileSync } from "node:fs";

/** A process's largest resident memory so far, as Linux counts it; this one's unless told. */
export function peakMemoryMib(id: number | "self" = "self"): number {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"));
  return Math.round(Number(peak![1]) / 1024);
}
