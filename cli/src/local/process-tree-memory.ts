import { readdirSync, readFileSync } from "node:fs";

/**
 * Memory of a process and all its descendants now, as proportional set size (a page shared by n processes counts 1/n in each).
 *
 * @returns bytes; null where the system has no /proc/<pid>/smaps_rollup (all but Linux)
 */
export function processTreeMemory(rootPid: number = process.pid): number | null {
  let children: Map<number, number[]>;
  try {
    children = childrenByParent();
  } catch {
    return null;
  }
  const proportional = (pid: number): number | null => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
    } catch {
      return null;
    }
  };
  const own = proportional(rootPid);
  if (own === null) return null;
  const descend = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + (proportional(child) ?? 0) + descend(child), 0);
  return own + descend(rootPid);
}

/** Samples the tree's memory until stopped; `peak` is the most that was seen (bytes), null where it cannot be measured. */
export function watchTreeMemory(everyMs = 500): { peak(): number | null; stop(): number | null } {
  let peak = processTreeMemory();
  const sample = () => {
    const now = processTreeMemory();
    if (now !== null) peak = Math.max(peak ?? 0, now);
  };
  const timer = peak === null ? undefined : setInterval(sample, everyMs).unref();
  return {
    peak: () => peak,
    stop() {
      if (peak !== null) sample();
      clearInterval(timer);
      return peak;
    },
  };
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // it ended in the meantime
    }
  }
  return children;
}
