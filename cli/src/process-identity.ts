import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** A process, told from a later one that got the same id: after a reboot, or in the next container, where ids begin anew. */
export interface ProcessIdentity {
  pid: number;
  /** clock ticks from the boot to the start of the process; null where the system has no /proc */
  started: string | null;
  /** of this boot of the machine; null where the system does not tell */
  boot: string | null;
  host: string;
}

/** The process that has this id now. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid), boot: bootId(), host: hostname() };
}

/**
 * Whether exactly this process still lives. One of another host or boot counts as dead: so a run may go on in a new container.
 * Two machines must therefore not run in one folder of a shared disk.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  if (now.host !== identity.host || now.boot !== identity.boot || now.started !== identity.started) return false;
  if (now.started !== null) return true;
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function startOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  // the second field, the program's name in parentheses, may hold anything; the third is the state, the 22nd the start
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isZombie = fields?.[0] === "Z"; // it has ended, only nobody has asked how
  return isZombie ? null : (fields?.[19] ?? null);
}

function bootId(): string | null {
  return read("/proc/sys/kernel/random/boot_id")?.trim() ?? null;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
