import { readFileSync } from "node:fs";

/** Linux counts in hundredths of a second, whatever the machine. */
const TICKS_A_SECOND = 100;
/** Of what stands behind the program's name in /proc/ID/stat, user and system time come here. */
const [USER, SYSTEM] = [11, 12];

/** Processor time that a process has taken so far, all threads together: other programs' load does not count, unlike time that passes. */
export function processorSeconds(id: number | "self"): number {
  const stat = readFileSync(`/proc/${id}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[USER]) + Number(fields[SYSTEM])) / TICKS_A_SECOND;
}
