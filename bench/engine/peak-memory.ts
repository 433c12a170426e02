import { readFileSync } from "node:fs";

/** This process's largest resident memory so far, as Linux counts it. */
export function peakMemoryMib(): number {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
  return Math.round(Number(peak![1]) / 1024);
}
